"""The release gate: a release becomes current when every service of its manifest is registered."""

from __future__ import annotations

from collections.abc import Callable

from fleetcaptain.discovery.available import Lack, lacks
from fleetcaptain.discovery.documents import Release
from fleetcaptain.discovery.keys import current_key
from fleetcaptain.errors import DeadlineExceeded, Interrupted
from fleetcaptain.release.record import finish
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot, instances_of, observe
from fleetcaptain.rollout.report import describe, explain_standstill

__all__ = ["current_tag", "open_gate"]


def current_tag(cluster: Cluster) -> str:
    """The tag of the current release; "" before there is one."""
    node = cluster.store.read(current_key(cluster.app))
    return node.value if node else ""


def open_gate(
    cluster: Cluster,
    manifest: Release,
    timeout_sec: float,
    report: Callable[[str], None] = lambda _line: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Snapshot:
    """Wait until all of *manifest* is available, then make it the current release. Returns the last snapshot.

    Raises DeadlineExceeded after *timeout_sec* seconds, with each service that lacks registrations, its instances'
    states and the last journal lines of one of them; ReleaseRefused if another release was recorded under its tag in
    the meantime. The previous release then stays current.
    """
    snapshot: Snapshot

    def pending() -> str:
        nonlocal snapshot
        snapshot = cluster.snapshot()
        missing = lacks(manifest, snapshot.live)
        if missing and stopping():
            raise Interrupted("Stopped on request while waiting for registrations; the next `pulumi up` waits again.")
        return "; ".join(map(str, missing))

    def timed_out(_line: str) -> DeadlineExceeded:
        missing = "\n".join(_describe(cluster, lack, snapshot) for lack in lacks(manifest, snapshot.live))
        return DeadlineExceeded(
            f"release {manifest.tag} is not available after {timeout_sec:.0f} s:\n{missing}\n"
            "The current release is unchanged. Fix the error that the journal shows, then run `pulumi up` again."
        )

    cluster.wait(pending, timeout_sec, timed_out, report)
    finish(cluster.store, cluster.app, manifest)
    return snapshot


def _describe(cluster: Cluster, lack: Lack, snapshot: Snapshot) -> str:
    """Details of a service that is not available."""
    lines = [str(lack)]
    unregistered = None
    for name in instances_of(cluster.ownership, lack.service, snapshot):
        instance = observe(name, snapshot)
        if instance.registered != lack.unit_hash:
            unregistered = unregistered or instance
            state = f"{instance.active or 'no state'}/{instance.sub or 'reported'}"
            why = f"not registered{explain_standstill(cluster, instance)}"
            if instance.failing:
                why = f"its alive check fails: {instance.failing}"
            lines.append(f"  {name} on {instance.machine or 'no machine'}: {state}, {why}")
    if unregistered is not None:
        journal = cluster.journal(unregistered)
        lines.append(describe(unregistered.name, unregistered.machine, "not registered", {}, journal))
    return "\n".join(lines)
