"""Changes of a local cluster that lose data and need explicit consent, which ``--yes`` is not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from fleetcaptain.localcluster.layout import SIZES, machine_names

__all__ = ["LOSE_DATA", "loss_problems", "size_problems", "tls_problem"]

_SETTING = "fleetcaptain:removeMachines"
LOSE_DATA = "FLEETCAPTAIN_LOSE_DATA"
"""The variable that consents to the loss of data with a cluster, for one command: names of volumes, or ``all``."""


def tls_problem(before: bool | None, after: bool, stack: str) -> str:
    """Why etcd's TLS cannot be turned on or off: members keep each other's addresses, so it requires a new cluster.
    *before* is None without a cluster."""
    if before is None or before is after:
        return ""
    return (
        f"turning TLS {'on' if after else 'off'} requires a new cluster and loses all data of this one. Nothing was "
        f"changed. To do so, run `make down STACK={stack}`, then `make up STACK={stack}`. To keep the cluster, run "
        f"`pulumi config set fleetcaptain:tls {str(before).lower()} --stack {stack}`."
    )


def loss_problems(data: Mapping[str, Sequence[str]], consent: str, stack: str) -> list[str]:
    """Why a cluster cannot be removed if only the data in *consent* (the value of `LOSE_DATA`) may be lost. *data*:
    machine -> its named volumes and paths with files."""
    agreed = {name.strip() for name in consent.split(",")}
    lost = {machine: [name for name in names if name not in agreed] for machine, names in data.items()}
    if "all" in agreed or not any(lost.values()):
        return []
    every = ",".join(sorted({name for names in data.values() for name in names}))
    return [
        *(f"{machine} has the data of {', '.join(names)}" for machine, names in lost.items() if names),
        "To keep it, copy it first: `captain volumes` lists it, `captain backup SERVICE` copies it.",
        f"To lose it, run `make down STACK={stack} {LOSE_DATA}={every}`.",
    ]


def size_problems(
    there: Collection[str],
    size: int,
    consent: Sequence[str],
    stack: str,
    data: Callable[[], Mapping[str, Sequence[str]]] = dict,
) -> list[str]:
    """Why a cluster with the machines *there* cannot have *size* machines if only those in *consent* may be removed.

    Consent to the removal of a machine that the cluster keeps is a problem too, so that a setting that is left after
    one removal never consents to another. *data*: machine -> its named volumes and paths with files.
    """
    if size not in SIZES:
        return [f"a local cluster must have {SIZES[0]} to {SIZES[-1]} machines"]
    stay = machine_names(size)
    gone = [name for name in machine_names(SIZES[-1]) if name in there and name not in stay]
    wrong = [name for name in consent if name in stay or name not in machine_names(SIZES[-1])]
    if wrong:
        return [
            f"{_SETTING} names {', '.join(wrong)}, but a cluster of {size} machines keeps {', '.join(stay)}. Nothing "
            f"was changed. Run `pulumi config rm {_SETTING} --stack {stack}`, or name only machines to remove."
        ]
    if set(gone) - set(consent):
        lost = [f"{machine} has {', '.join(names)}" for machine, names in data().items() if machine in gone]
        what = (
            f"; {'; '.join(lost)}. To keep a service and its data, move it first: `captain backup SERVICE`, `captain "
            "bind SERVICE MACHINE --without-data`, `captain restore SERVICE`"
        )
        return [
            f"size {size} would remove {', '.join(gone)} and lose all volumes of containers on them"
            f"{what if lost else ''}. Nothing was changed. To remove them, run `pulumi config set {_SETTING} "
            f"{','.join(gone)} --stack {stack}`, then the same command again. To keep them, run `pulumi config set "
            f"fleetcaptain:size {int(gone[-1].removeprefix('m'))} --stack {stack}`."
        ]
    return []
