"""Preflight: checks before the first instance stops. Every instance has a machine, and every machine has the image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from fleetcaptain.discovery.keys import registries_key
from fleetcaptain.errors import RolloutFailed
from fleetcaptain.fleet.root_command import as_root
from fleetcaptain.printable import last_lines
from fleetcaptain.release.images import ImageState, logins_file, probe_argv, probed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.data_anchors import lost_data
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, instances_of, observe
from fleetcaptain.rollout.placement import apart, candidates, misplaced
from fleetcaptain.units.agent_calls import agent_folder
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["find_images", "in_the_way", "leaving", "no_place", "prepare", "pull_everywhere", "shares_volume"]

_PROBE_SEC = 60.0
_PULL_SEC = 900.0
_DONE = "fleetcaptain: the image is here"
_SCRIPT = f'docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" 2>&1; test $? = 0 && echo "{_DONE}"'
# The logins are root's, and the agent has them.
_AGENT_SCRIPT = f'docker image inspect "$1" >/dev/null 2>&1 || sh "$2" pull "$1" 2>&1; test $? = 0 && echo "{_DONE}"'


def prepare(
    cluster: Cluster,
    snapshot: Snapshot,
    target: Target,
    image: str,
    report: Callable[[str], None],
    *,
    ignored: Collection[str] = (),
) -> None:
    """Raise RolloutFailed if *target* cannot be placed on the cluster of *snapshot* without the units *ignored*, or a
    machine cannot pull its *image*; no unit was changed then. Instances that already run the target text need
    neither."""
    left = [name for name in target.names if not _is_there(name, target, snapshot)]
    if not left:
        return
    why = no_place(target, snapshot, ignored)
    if why:
        raise RolloutFailed(f"{target.service}: {why}. Nothing was changed.")
    if image:
        machines = tuple(snapshot.machines.values())
        needs = [target.file.needs(name) for name in left]
        pull_everywhere(cluster, image, [machine.ip for machine in candidates(needs, machines)], report)


def _is_there(name: str, target: Target, snapshot: Snapshot) -> bool:
    """Whether the unit *name* is as *target* has it already."""
    instance = observe(name, snapshot)
    if name in target.standby:
        return instance.unit_hash == target.unit_hash and instance.desired == target.standby[name]
    return instance.healthy(target.unit_hash)


def no_place(
    target: Target, snapshot: Snapshot, ignored: Collection[str] = (), planned: Mapping[str, UnitFile] | None = None
) -> str:
    """Why *target* cannot be placed next to all other units except *ignored*; empty if it can. Pure.

    *planned*: the pending files of other units, which count instead of their present ones.
    """
    others = {
        name: ((planned or {}).get(name, unit.file).needs(name), unit.machine_id or "")
        for name, unit in snapshot.units.items()
        if name not in target.names and name not in ignored and unit.machine_id
    }
    return lost_data(target, snapshot) or misplaced(target.needs, others, tuple(snapshot.machines.values()))


def leaving(ownership: Ownership, target: Target, snapshot: Snapshot) -> tuple[str, ...]:
    """The units of the service that a rollout to *target* removes: those with other names, and surplus ones."""
    present = instances_of(ownership, target.service, snapshot)
    return tuple(name for name in present if name not in target.names)


def in_the_way(ownership: Ownership, target: Target, snapshot: Snapshot) -> tuple[str, ...]:
    """Those of `leaving` that must be removed first because no machine has room for a new unit next to them: it uses
    the same port of the machine, or conflicts with them."""
    old = leaving(ownership, target, snapshot)
    if not old or not no_place(target, snapshot):
        return ()
    going = {name: snapshot.units[name].file.needs(name) for name in old}
    return tuple(name for name in old if any(apart(going[name], need) for need in target.needs))


def shares_volume(file: UnitFile, old: Iterable[str], snapshot: Snapshot) -> bool:
    """Whether a unit with *file* and one of the units *old* write to the same volume, so that they must not run side by
    side."""
    return any(file.shared_volumes(snapshot.units[name].file) for name in old)


def pull_everywhere(cluster: Cluster, image: str, machines: Iterable[str], report: Callable[[str], None]) -> None:
    """Pull *image* with docker on all *machines* (addresses) in parallel.

    Skips unreachable machines, and reports them: their own units pull when they are back. Raises RolloutFailed, with
    docker's output, if a machine cannot pull the image; no unit was changed then.
    """
    addresses = sorted(machines)
    if not addresses:
        return
    report(f"pulling the image on {len(addresses)} machines")
    argv = ["sh", "-c", _SCRIPT, "pull", image]
    if cluster.store.read(registries_key(cluster.app)) is not None:
        argv = as_root(["sh", "-c", _AGENT_SCRIPT, "pull", image, f"{agent_folder(cluster.app)}/agent"])
    with ThreadPoolExecutor(len(addresses)) as pool:
        found = pool.map(lambda address: cluster.run(address, argv, _PULL_SEC), addresses)
        outputs = dict(zip(addresses, found, strict=True))
    skipped = [address for address, output in outputs.items() if output is None]
    if skipped:
        report(f"could not pull the image ahead on {', '.join(skipped)}: no connection, or it took too long")
    failed = {address: output for address, output in outputs.items() if output is not None and _DONE not in output}
    if failed:
        address, output = next(iter(failed.items()))
        raise RolloutFailed(
            f"Failed to pull {image} on {', '.join(failed)}. docker on {address} says:\n"
            f"  {last_lines(output) or 'nothing'}\n"
            "Nothing was changed. Push the image again or fix the registry, then run `pulumi up` again."
        )


def find_images(cluster: Cluster, images: Sequence[str]) -> dict[str, ImageState]:
    """Whether each of *images* is in its registry, as a machine finds with the logins that it has for the app."""
    output = None
    if images:
        for machine in sorted(cluster.snapshot().machines.values(), key=lambda machine: machine.ip):
            output = cluster.run(machine.ip, probe_argv(images, logins_file(cluster.app)), _PROBE_SEC)
            if output is not None:
                break
    return probed(images, output)
