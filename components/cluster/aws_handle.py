"""The handle of a cluster on AWS: EC2 knows why a cluster does not answer, and an update repairs it, so no preview or
refresh fails for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.cluster.aws_client import aws_client, aws_errors
from components.cluster.balanced_targets import PublicTarget, wait_balanced
from components.cluster.handle import ClusterHandle, Presence
from components.cluster.instance_states import members_in, missing_quorum
from components.engine import diagnostics, dynamic_resource
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.fleet.ssh import Endpoint

__all__ = ["AwsHandle"]

_KNOWN_SEC = 30
# Pulumi's provider may assume a role that boto3 does not have.
_NO_MEMBER = (
    "EC2 has no member of this stack for the credentials of your shell (`aws sts get-caller-identity`): either the "
    "cluster is in another account, or all members are gone, and `pulumi up` makes them again with their data."
)
_lock = threading.Lock()


@dataclass(frozen=True)
class _Answer:
    """Why the cluster did not answer ("": it did) *at* a time of the monotonic clock."""

    problem: str
    at: float


_answers: dict[Connection, _Answer] = {}
_warned: set[Connection] = set()


class AwsHandle(ClusterHandle):
    """A cluster that does not answer counts as stopped in previews and refreshes, with a warning: the update may be
    what opens ssh for this computer, changes the way in, or makes terminated members again. In the program of an update
    it counts as there: what the program needs of it fails with the usual error."""

    def presence(self) -> Presence:
        """STOPPED if the cluster does not answer, and this is no update's program. One that answers is there, whatever
        EC2 says: its answer may be that of another account."""
        if dynamic_resource.CURRENT.get(None) is None and not pulumi.runtime.is_dry_run():
            return Presence.THERE
        problem = self.problem()
        if not problem:
            return Presence.THERE
        self._warn(problem)
        return Presence.STOPPED

    def wait_balanced(
        self,
        public: Mapping[str, PublicTarget],
        timeout_sec: float,
        report: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Wait. Without the right to ask, or an answer of AWS, warn instead."""

        def health() -> Mapping[str, Sequence[Mapping[str, Any]]]:
            with aws_errors("ask for the health of the load balancer's targets"):
                client = aws_client("elbv2", self.connection)
                return {
                    port: client.describe_target_health(TargetGroupArn=target.arn)["TargetHealthDescriptions"]
                    for port, target in public.items()
                }

        try:
            health()
        except FleetCaptainError as error:
            dynamic_resource.warn(f"The release is available, but perhaps not at the load balancer yet. {error}")
            return
        wait_balanced(public, health, timeout_sec, report, cancelled=cancelled)

    def problem(self, clock: Callable[[], float] = time.monotonic) -> str:
        """Why the cluster does not answer; asked once for all resources, and again after half a minute: an update may
        have repaired it."""
        with _lock:
            known = _answers.get(self.connection)
            if known is None or clock() - known.at >= _KNOWN_SEC:
                known = _answers[self.connection] = _Answer(self._ask(), clock())
            return known.problem

    def _ask(self) -> str:
        unreachable = self._unreachable()
        return (self._stopped(unreachable) or unreachable) if unreachable else ""

    def _stopped(self, unreachable: str) -> str:
        """Why the cluster is *unreachable*, as EC2 knows it; "" if EC2 does not."""
        endpoint = self.connection.endpoint
        if not isinstance(endpoint, Endpoint) or not self.connection.region:
            return ""  # recorded by an earlier version
        stack = self.connection.stack
        try:
            with aws_errors("ask EC2 for the members"):
                pages = aws_client("ec2", self.connection).get_paginator("describe_instances")
                filters = [{"Name": "tag:fleetcaptain:stack", "Values": [stack]}]
                found = members_in(list(pages.paginate(Filters=filters)), stack)
        except FleetCaptainError:
            return ""  # without the right to ask, ssh's reason must do
        if not found:
            return f"{unreachable} {_NO_MEMBER}"
        return missing_quorum(found, len(endpoint.hosts))

    def _unreachable(self) -> str:
        try:
            self.connect("").fleet.machines()
        except ClusterUnreachable as error:
            return str(error)
        return ""

    def _warn(self, problem: str) -> None:
        with _lock:
            if self.connection in _warned:
                return
            _warned.add(self.connection)
        if dynamic_resource.CURRENT.get(None) is None:
            diagnostics.warn(
                f"The cluster does not answer, so what changes on it is known only at the update, and strays, owners "
                f"and placement are checked only then. {problem}"
            )
        else:
            dynamic_resource.warn(
                f"The cluster does not answer, so its units stay in the state as they were last seen. {problem}"
            )
