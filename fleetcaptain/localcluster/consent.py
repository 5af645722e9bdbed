"""Changes of a local cluster that lose data and need explicit consent, which ``--yes`` is not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fleetcaptain.localcluster.layout import SIZES, machine_names

__all__ = ["size_problems", "tls_problem"]

_SETTING = "fleetcaptain:removeMachines"


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


def size_problems(there: Collection[str], size: int, consent: Sequence[str], stack: str) -> list[str]:
    """Why a cluster with the machines *there* cannot have *size* machines if only those in *consent* may be removed.

    Consent to the removal of a machine that the cluster keeps is a problem too, so that a setting that is left after
    one removal never consents to another.
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
        return [
            f"size {size} would remove {', '.join(gone)} and lose all volumes of containers on them. "
            f"Nothing was changed. To remove them, run `pulumi config set {_SETTING} "
            f"{','.join(gone)} --stack {stack}`, then the same command again. To keep them, run `pulumi config set "
            f"fleetcaptain:size {int(gone[-1].removeprefix('m'))} --stack {stack}`."
        ]
    return []
