"""The values of a rollout: its target, policy, instances, state and decisions. Times are seconds of any clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.units.unit_file import Need, UnitFile

__all__ = [
    "TICK_SEC",
    "Decision",
    "Failure",
    "Policy",
    "Progress",
    "RolloutState",
    "Target",
    "extend_for_fault",
    "parallel",
    "shift_for_outage",
]

# fleet's agents act on a nudge at most once a second (research: 1.05 s between nudges is the best interval).
TICK_SEC = 1.05


@dataclass(frozen=True)
class Target:
    """The desired state of a *service*: every unit in *names* has *file*, and runs unless it is in *standby*: those
    wait for a window, in the desired state of each."""

    service: str
    names: tuple[str, ...]
    file: UnitFile
    standby: Mapping[str, DesiredState] = field(default_factory=dict)

    @property
    def running(self) -> Target:
        """The units that run."""
        return replace(self, names=tuple(name for name in self.names if name not in self.standby), standby={})

    @property
    def unit_hash(self) -> str:
        """The SHA1 of the units' text."""
        return self.file.unit_hash

    @property
    def needs(self) -> tuple[Need, ...]:
        """The requirements of each unit on its machine; those that wait without a machine have none yet."""
        placed = (name for name in self.names if self.standby.get(name) is not DesiredState.INACTIVE)
        return tuple(map(self.file.needs, placed))


@dataclass(frozen=True)
class Policy:
    """How a window moves; see `fleetcaptain.fleetfile.values.Rolling`. All times in seconds.

    *first_alone*: no other instance starts before one with the target text is done.
    *restarts_allowed*: how often systemd may restart an instance before that counts as a failure.
    *zone_key*: the metadata of machines that names their failure domain.
    """

    max_parallel: int = 1
    first_alone: bool = True
    min_healthy_sec: float = 10
    healthy_deadline_sec: float = 300
    progress_deadline_sec: float = 600
    restarts_allowed: int = 0
    zone_key: str = "zone"

    def for_file(self, file: UnitFile) -> Policy:
        """This policy with deadlines long enough for the stop and start limits of *file*."""
        healthy = max(self.healthy_deadline_sec, file.stop_limit_sec + file.start_limit_sec)
        progress = max(self.progress_deadline_sec, healthy + self.min_healthy_sec)
        return replace(self, healthy_deadline_sec=healthy, progress_deadline_sec=progress)


@dataclass(frozen=True)
class Progress:
    """One instance in progress: *since* when, healthy since when, and how often systemd restarted it or its alive check
    began to fail.

    *stale*: it had failed before it was started again with the same text, and no newer state has been reported.
    *unplaced_since*: since when no machine has it. *stuck_since*: since when it needs a stop and another start.
    """

    since: float
    healthy_since: float | None = None
    restarts: int = 0
    restarting: bool = False
    stale: bool = False
    unplaced_since: float | None = None
    stuck_since: float | None = None


@dataclass(frozen=True)
class RolloutState:
    """The state after the last decision. *done*: instances that stayed healthy for the bake time; *retried*: stuck
    instances that were stopped and started once more."""

    in_progress: Mapping[str, Progress] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    progress_at: float | None = None
    retried: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Failure:
    """Why a rollout cannot continue: the *unit* and the *reason*, one clause. *unplaced*: no machine takes it."""

    unit: str
    reason: str
    unplaced: bool = False


@dataclass(frozen=True)
class Decision:
    """*put*: give these units the target text and launch them. *stop*: these must stop before they can start again.
    *waiting*: the instances in progress. *finished*: the target is reached. *failure*: the rollout must stop."""

    state: RolloutState
    put: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    finished: bool = False
    failure: Failure | None = None


def shift_for_outage(state: RolloutState, seconds: float) -> RolloutState:
    """*state* after an outage of *seconds*: that time counts neither for nor against the release."""
    excused = extend_for_fault(state, seconds)
    in_progress = {
        name: replace(track, healthy_since=_later(track.healthy_since, seconds))
        for name, track in excused.in_progress.items()
    }
    return replace(excused, in_progress=in_progress)


def extend_for_fault(state: RolloutState, seconds: float) -> RolloutState:
    """*state* after *seconds* in which the cluster lacked a machine: that time does not count against the release."""
    in_progress = {
        name: replace(
            track,
            since=track.since + seconds,
            unplaced_since=_later(track.unplaced_since, seconds),
            stuck_since=_later(track.stuck_since, seconds),
        )
        for name, track in state.in_progress.items()
    }
    return replace(state, in_progress=in_progress, progress_at=_later(state.progress_at, seconds))


def _later(moment: float | None, seconds: float) -> float | None:
    return None if moment is None else moment + seconds


def parallel(limit: int | str, instances: int) -> int:
    """How many of *instances* may be down at once: *limit*, or a share of them such as ``"25%"``, at least one."""
    if isinstance(limit, str):
        return max(1, instances * int(limit.removesuffix("%")) // 100)
    return int(limit)
