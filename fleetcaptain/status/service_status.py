"""The status of one service: what its release wants, what runs of it, and what differs. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from fleetcaptain.discovery.documents import Registration, ServiceRelease
from fleetcaptain.discovery.maintenance import Maintenance
from fleetcaptain.mode import Mode
from fleetcaptain.release.repository import Releases
from fleetcaptain.rollout.data_anchors import lost_data
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.journal import JournalEntry
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import LAUNCHED, Snapshot, observe
from fleetcaptain.rollout.placement import admits
from fleetcaptain.status.expected_rollout import expected_rollout_sec
from fleetcaptain.status.picture import AppKeys
from fleetcaptain.status.window_status import WindowStatus

__all__ = ["InstanceStatus", "RolloutStatus", "ServiceStatus", "service_status", "version_of"]

_DIGITS = 7  # of a unit hash, as many as in the units' names


@dataclass(frozen=True)
class InstanceStatus:
    """One instance: its *unit*, the *address* and *zone* of its machine, the *version* of its text, systemd's *state*
    (``active/running``), whether it is *healthy*, and why its alive check is *failing* or what else is its *trouble*;
    "" where there is nothing to say."""

    unit: str
    address: str
    zone: str
    version: str
    state: str
    healthy: bool
    failing: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class RolloutStatus:
    """A rollout under way: *who* began it, *since* when (ISO 8601, UTC), *to* which version, and how many (*done*) *of*
    its instances are healthy with the new text. *stopped*: no process holds its lock any more. *expected_sec*: how long
    it takes by earlier ones, 0 if that is not known."""

    who: str
    since: str
    to: str
    done: int
    of: int
    stopped: bool = False
    expected_sec: float = 0


@dataclass(frozen=True)
class ServiceStatus:
    """A service: how many instances its release wants (*wanted*), its *instances*, the *last* rollout, the one under
    way, the *drift*: units whose text is not the release's, and the *maintenance* that it is under. *windows*: None if
    it has none; with windows *wanted* is what must run now, and so many units wait as *standby* instances. *public*:
    the URLs of its public address."""

    name: str
    wanted: int
    instances: tuple[InstanceStatus, ...]
    last: JournalEntry | None = None
    rollout: RolloutStatus | None = None
    drift: tuple[str, ...] = ()
    maintenance: Maintenance | None = None
    windows: WindowStatus | None = None
    standby: int = 0
    public: tuple[str, ...] = ()

    @property
    def healthy(self) -> int:
        """How many instances are healthy."""
        return sum(instance.healthy for instance in self.instances)

    @property
    def versions(self) -> dict[str, int]:
        """Version -> how many instances have it, the most frequent first."""
        return dict(Counter(instance.version for instance in self.instances).most_common())

    @property
    def zones(self) -> dict[str, int]:
        """Zone -> how many instances are there, by name; "" for machines without a zone."""
        return dict(sorted(Counter(instance.zone for instance in self.instances if instance.address).items()))

    @property
    def state(self) -> str:
        """``rolling``, ``down``, ``failing``, ``degraded``, ``opening``, ``mixed``, ``drift``, ``maintenance`` or
        ``ok``: the first that holds."""
        if self.rollout is not None and not self.rollout.stopped:
            return "rolling"
        if self.wanted and not self.healthy:
            return "failing" if any(instance.failing for instance in self.instances) else "down"
        if any(instance.failing for instance in self.instances):
            return "failing"
        if self.healthy < self.wanted or any(instance.trouble for instance in self.instances):
            is_opening = self.windows is not None and self.windows.is_opening
            return "opening" if is_opening and not any(instance.trouble for instance in self.instances) else "degraded"
        if len(self.versions) > 1:
            return "mixed"
        as_wanted = not self.drift and len(self.instances) == self.wanted
        return ("maintenance" if self.maintenance else "ok") if as_wanted else "drift"


def version_of(service: str, unit_hash: str | None, releases: Releases) -> str:
    """The tag of the release that has this text of *service*: the current one, the pending one, or the newest; the
    beginning of the hash when there is none, "" without a text."""
    if not unit_hash:
        return ""
    preferred = {releases.pending: 1, releases.current: 2}
    ranked = [
        (preferred.get(manifest.tag, 0), age, manifest.tag)
        for age, manifest in enumerate(releases.manifests)
        if manifest.unit_hashes.get(service) == unit_hash
    ]
    return max(ranked)[2] if ranked else unit_hash[:_DIGITS]


def service_status(
    name: str,
    names: tuple[str, ...],
    snapshot: Snapshot,
    keys: AppKeys,
    *,
    registered_known: bool = True,
    windows: WindowStatus | None = None,
) -> ServiceStatus:
    """The status of the service *name*, whose units are *names*.

    *registered_known* is false when etcd did not answer: what runs on its machine then counts as healthy. *windows*:
    the status of its windows, if it has some.
    """
    releases = keys.releases
    units = [observe(unit, snapshot) for unit in names]
    observed = [one for one in units if not (windows and _is_standby(one, windows))]
    instances = tuple(
        _explained(
            _instance(name, one, snapshot.registrations.get(one.name), releases, registered_known), name, snapshot
        )
        for one in observed
    )
    if windows is not None and windows.is_opening:
        instances = tuple(_starting(one, windows) for one in instances)
    rollout = _rollout(name, observed, instances, keys, windows)
    current, pending = (releases.named(tag) for tag in (releases.current, releases.pending))
    known = current.services.get(name) if current else None
    new = pending.services.get(name) if pending else None
    expected = new if rollout is not None and new is not None else known or new
    wanted = _wanted(expected, names, snapshot) if expected else len(observed)
    if windows is not None and windows.launched > windows.plan.base:
        wanted = max(wanted, windows.launched)
    hashes = {one.name: one.unit_hash for one in units if one.unit_hash is not None}
    drift = tuple(unit for unit, unit_hash in hashes.items() if expected and unit_hash != expected.unit_hash)
    last, maintenance = keys.journals.get(name), keys.maintenance.get(name)
    return ServiceStatus(
        name,
        wanted,
        instances,
        last,
        rollout,
        () if rollout else drift,
        maintenance,
        windows,
        len(units) - len(observed),
    )


def _is_standby(one: Instance, windows: WindowStatus) -> bool:
    """Whether *one* waits for a window to open."""
    waits = one.unit_hash is not None and one.desired != LAUNCHED
    return waits and windows.number_of(one.name) > max(windows.launched, windows.plan.base)


def _starting(one: InstanceStatus, windows: WindowStatus) -> InstanceStatus:
    """*one*, which is no trouble while the window opens that it belongs to."""
    return replace(one, trouble="") if windows.number_of(one.unit) > windows.before else one


def _wanted(expected: ServiceRelease, names: tuple[str, ...], snapshot: Snapshot) -> int:
    """How many instances there should be: a service of every machine has one on each that its rules admit."""
    if expected.mode is not Mode.PER_MACHINE or not snapshot.machines or not names:
        return expected.count
    unit = snapshot.units.get(names[0])
    if unit is None:
        return expected.count
    return sum(admits(unit.name, unit.file, machine) for machine in snapshot.machines.values())


def _instance(
    service: str, one: Instance, entry: Registration | None, releases: Releases, registered_known: bool
) -> InstanceStatus:
    runs = one.unit_hash is not None and one.running == one.unit_hash and one.active == "active"
    state = f"{one.active}/{one.sub}" if one.active else ""
    healthy = one.serving if registered_known else runs
    if one.unit_hash is None:  # fleet did not answer: only its registration is known
        healthy = entry is not None and not entry.withdrawn
    return InstanceStatus(
        one.name,
        one.machine or (entry.host if entry else ""),
        one.zone,
        version_of(service, one.unit_hash or (entry.unit_hash if entry else None), releases),
        state,
        healthy,
        one.failing or (entry.failing if entry else ""),
        "" if healthy else _trouble(one, state),
    )


def _explained(one: InstanceStatus, service: str, snapshot: Snapshot) -> InstanceStatus:
    """*one*, whose trouble names its data if that is on a machine that is away."""
    unit = snapshot.units.get(one.unit)
    lost = lost_data(Target(service, (one.unit,), unit.file), snapshot) if unit is not None and one.trouble else ""
    return replace(one, trouble=lost) if lost else one


def _trouble(one: Instance, state: str) -> str:
    """Why an instance is not healthy, from what is known."""
    reasons = {
        "it is not in discovery": one.unit_hash is None,
        "its machine is lost": one.lost,
        f"fleet has it {one.desired}": one.desired != "launched",
        "no machine has it": one.unplaced,
        "its machine has another text of it": bool(one.running) and one.running != one.unit_hash,
        "its old process still runs": one.stale_process(one.unit_hash or ""),
        f"{state}, not registered": one.active == "active" and one.registered is None,
    }
    return next((reason for reason, holds in reasons.items() if holds), state or "no state is reported")


def _rollout(
    service: str,
    observed: list[Instance],
    instances: tuple[InstanceStatus, ...],
    keys: AppKeys,
    windows: WindowStatus | None,
) -> RolloutStatus | None:
    """The rollout under way, if the journal has one: with a lock alone nothing has begun."""
    last, releases = keys.journals.get(service), keys.releases
    if last is None or last.state != "rolling":
        return None
    done = [one for one, status in zip(observed, instances, strict=True) if one.unit_hash == last.to and status.healthy]
    pending = releases.named(releases.pending)
    new = pending.services.get(service) if pending else None
    new = new if new is not None and new.unit_hash == last.to else None
    of = new.count if new is not None and new.mode is not Mode.PER_MACHINE else 0
    # Two generations of a blue/green service have the same numbers.
    numbers = {one.name.rpartition("@")[2] for one in observed}
    to = version_of(service, last.to, releases)
    # Instances of an open window are rolled, too.
    of = max(of, len(numbers)) if windows is not None else of or len(numbers)
    expected = expected_rollout_sec(service, new, of, keys.records.get(service, ()))
    return RolloutStatus(last.who, last.since, to, len(done), of, service not in keys.locks, expected)
