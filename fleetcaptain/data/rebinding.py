"""Moves a service away from its data, with consent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from fleetcaptain.data.paused_service import paused
from fleetcaptain.data.volume_scripts import names_argv, parse_names
from fleetcaptain.errors import DeadlineExceeded, NotAvailable, UnitRefused
from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.data_anchors import anchors_on, place_anchor, where_of
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.placement import admits, misplaced
from fleetcaptain.schedule.window_machines import is_of_windows
from fleetcaptain.units.data_anchor import DataAnchor, anchor_name

__all__ = ["rebind"]

_LIST_SEC = 60.0


def rebind(
    cluster: Cluster, service: str, machine: Machine, report: Callable[[str], None], *, without_data: bool
) -> str:
    """Keep *service* on *machine* from now on, and start it there. Returns what happened. Raises UnitRefused if the
    machine cannot take it or has older data, or without consent to leave its data (*without_data*); NotAvailable if
    it has no data; DeadlineExceeded, after which the same call continues."""
    snapshot = cluster.snapshot()
    known = anchors_on(cluster.ownership, snapshot)
    if service not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise NotAvailable(
            f"{service!r} has no named volume, and is bound to no machine. Services that stay with their data: "
            f"{listed}."
        )
    old, where = known[service], where_of(machine)
    names = instances_of(cluster.ownership, service, snapshot)
    # A machine that is lost admits nothing, so that no deployment can bring rules for another one before.
    is_lost = old.machine not in snapshot.machines
    fits = all(admits(name, snapshot.units[name].file, machine) for name in names)
    if old.machine != machine.id:
        problems = _obstacles(cluster, old, machine, snapshot)
        if not fits and not is_lost:
            problems.append(
                f"the rules of {service} exclude that machine. Remove `machine=` and `machine_metadata=` from it in "
                "the Fleetfile, deploy, and run this again; then write the new rules"
            )
        if not problems and not without_data:
            problems = [
                f"its data (volumes {', '.join(old.volumes)}) is on {old.where} and would stay there",
                f"take a backup if the machine still runs (`captain backup {service}`), add --without-data, and "
                "restore it afterwards",
            ]
        if problems:
            raise UnitRefused(f"Cannot move {service} from {old.where} to {where}. Nothing was changed:", problems)
    elif _is_placed(cluster, old, snapshot):
        return f"{service} stays on {where} already."
    try:
        with _stopped(cluster, service, report, starts=fits) as fenced:
            place_anchor(fenced, replace(old, machine=machine.id, where=where))
    except DeadlineExceeded as error:
        raise DeadlineExceeded(f"{error}\n{service} is bound to {where} now, and starts there.") from error
    restore = f"To bring its data back: captain restore {service} FILE."
    left = f" The old volumes stay on {old.where}." if old.machine != machine.id else ""
    if not fits:
        return (
            f"{service} is bound to {where} now, but its present rules exclude that machine, so it is down. Correct "
            f"`machine=` and `machine_metadata=` in the Fleetfile and deploy. {restore}{left}"
        )
    return f"{service} stays on {where} now, with empty volumes. {restore}{left}"


def _obstacles(cluster: Cluster, old: DataAnchor, machine: Machine, snapshot: Snapshot) -> list[str]:
    """Why *machine* cannot take the service of *old*, whatever metadata it requires."""
    anchor = anchor_name(cluster.app, old.service)
    names = instances_of(cluster.ownership, old.service, snapshot)
    others = {
        name: (unit.file.needs(name), unit.machine_id)
        for name, unit in snapshot.units.items()
        if unit.machine_id and name != anchor and name not in names
    }
    needs = [replace(snapshot.units[name].file.needs(name), machine_of=(), metadata=None) for name in names]
    if is_of_windows(machine.metadata):
        return ["that machine leaves, with its disk, when its window closes"]
    if why := misplaced(needs, others, [machine]):
        return [why]
    volumes = {*old.volumes, *(volume for name in names for volume in snapshot.units[name].file.kept_volumes)}
    output = cluster.run(machine.ip, names_argv(), _LIST_SEC)
    found = None if output is None else parse_names(output)
    if found is None:
        return [f"docker on {where_of(machine)} did not say which volumes it has. Check it with `captain doctor`"]
    older = sorted(volumes & found)
    return [
        f"that machine has a volume {volume} already, and {old.service} would start with its older data. To keep it, "
        f"run `captain backup {old.service} --volume {volume} --machine {machine.ip}`. Remove it: `captain ssh "
        f"{machine.ip} -- sudo docker volume rm {volume}`"
        for volume in older
    ]


def _is_placed(cluster: Cluster, anchor: DataAnchor, snapshot: Snapshot) -> bool:
    """Whether nothing of an earlier call is left to do."""
    names = instances_of(cluster.ownership, anchor.service, snapshot)
    placed = snapshot.units[anchor_name(cluster.app, anchor.service)].machine_id == anchor.machine
    return placed and all(snapshot.units[name].desired == DesiredState.LAUNCHED for name in names)


@contextmanager
def _stopped(cluster: Cluster, service: str, report: Callable[[str], None], *, starts: bool) -> Iterator[Cluster]:
    """*cluster*, fenced by the lock of *service*, which does not run in the block; *starts*: it can run afterwards."""
    if starts:
        with paused(cluster, service, "bind", report) as fenced:
            yield fenced
    else:
        with guarded(cluster, service, "", report, strategy="bind") as (fenced, _):
            yield fenced
