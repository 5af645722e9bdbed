"""One update of a service: lock, preflight, then the strategy of its mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from fleetcaptain.agent.installation import offered
from fleetcaptain.errors import FleetCaptainError, with_more
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.data_anchors import ensure_anchor, forget_anchor, with_anchors
from fleetcaptain.rollout.depart import forget_service
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.finish import after_failure
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, instances_of, rows_of
from fleetcaptain.rollout.ownership import refuse_foreign
from fleetcaptain.rollout.preflight import in_the_way, leaving, prepare, shares_volume
from fleetcaptain.rollout.strategies.blue_green import replace_generation
from fleetcaptain.rollout.strategies.fleet_global import run_fleet_global
from fleetcaptain.rollout.strategies.renaming import former_units, replace_former, retire_former
from fleetcaptain.rollout.strategies.rolling import install, roll
from fleetcaptain.rollout.strategies.standby import keep_standby
from fleetcaptain.rollout.targets import DesiredService
from fleetcaptain.rollout.window_plans import needed_now, publish_windows
from fleetcaptain.rollout.window_record import record_running

__all__ = ["update"]


def update(
    cluster: Cluster, desired: DesiredService, report: Callable[[str], None], stopping: Callable[[], bool]
) -> Target:
    """Bring the units of a service to *desired*; the target that they have then.

    The cluster is read once under the lock, and again by the driver before its first step. Raises UnitRefused for units
    of others, RolloutFailed when the rollout failed and was rolled back, RolloutMixed when it was not, Locked, and
    Interrupted when *stopping* says so.
    """

    def check(snapshot: Snapshot) -> None:
        refuse_foreign(cluster.ownership, desired.target(snapshot), snapshot)

    try:
        with (
            _locked(cluster, desired.replaces, report, stopping) as locked,
            guarded(
                locked,
                desired.service,
                desired.file.unit_hash,
                report,
                check=check,
                stopping=stopping,
                strategy=desired.mode.value,
                wanted=lambda snapshot: _wanted(desired, snapshot),
                rollback=desired.rollback,
            ) as (fenced, snapshot),
        ):
            opening = needed_now(fenced, desired)
            target = desired.target(snapshot, len(opening()))
            former = former_units(cluster.ownership, target, desired.replaces, snapshot)
            # An old generation stays until the new one is healthy, unless both would write to one volume; other old
            # units are removed, first if necessary.
            beside = desired.mode is Mode.BLUE_GREEN and not shares_volume(target.file, former, snapshot)
            going = () if beside else (*leaving(cluster.ownership, target, snapshot), *former)
            planned = with_anchors(cluster.ownership, [(target, desired.replaces)], snapshot)
            prepare(fenced, planned, target, desired.image, report, ignored=going)
            ensure_anchor(fenced, target, desired.replaces, snapshot, report)
            driver = Driver(fenced, report, stopping, opening=opening)
            try:
                _replace(driver, snapshot, desired, target, in_turn=bool(former) and not beside)
                if target.standby:
                    # Without those that it opened meanwhile.
                    keep_standby(driver, desired.target(fenced.snapshot()))
            except FleetCaptainError:
                with suppress(FleetCaptainError):
                    record_running(fenced, desired.service)
                raise
            publish_windows(fenced, desired, snapshot)
            for service in desired.replaces:
                forget_service(fenced, service)
                forget_anchor(fenced, service, report)
    except FleetCaptainError as error:
        raise with_more(error, after_failure(cluster)) from error
    return target


@contextmanager
def _locked(
    cluster: Cluster, services: Sequence[str], report: Callable[[str], None], stopping: Callable[[], bool]
) -> Iterator[Cluster]:
    """*cluster*, fenced by the locks of all *services*, which another one replaces."""
    with ExitStack() as locks:
        for service in services:
            cluster, _ = locks.enter_context(
                guarded(cluster, service, "", report, stopping=stopping, strategy="rename")
            )
        yield cluster


def _wanted(desired: DesiredService, snapshot: Snapshot) -> int:
    """The number of instances that the service has to have."""
    target = desired.target(snapshot)
    if desired.mode is Mode.FLEET_GLOBAL:
        return len(rows_of(target.names[0], snapshot, target.file))
    return len(target.running.names)


def _replace(driver: Driver, snapshot: Snapshot, desired: DesiredService, target: Target, *, in_turn: bool) -> None:
    """*in_turn*: units with other names go one after the other, as the new ones start."""
    settings, ownership = desired.settings, driver.cluster.ownership
    policy = settings.policy(len(target.running.names))
    if desired.mode is Mode.FLEET_GLOBAL:
        with offered(driver.cluster.store, driver.cluster.app):
            run_fleet_global(driver.cluster, target, policy.healthy_deadline_sec, driver.report)
    elif in_turn:
        replace_former(driver, target.running, policy, desired.replaces, snapshot, auto_revert=settings.auto_revert)
    elif desired.mode is Mode.BLUE_GREEN:
        replace_generation(driver, target, policy, settings.keep_old_sec, snapshot)
        retire_former(driver, desired.replaces, settings.keep_old_sec)
    elif instances_of(ownership, target.service, snapshot) or snapshot.units.keys() & set(target.names):
        first = {name: snapshot.units[name].file for name in in_the_way(ownership, target, snapshot)}
        roll(driver, target, policy, settings.auto_revert, first)
    else:
        install(driver, target, policy)
