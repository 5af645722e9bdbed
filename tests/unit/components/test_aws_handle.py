"""A cluster on AWS that does not answer: previews and refreshes go on, and the program of an update does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest

from components.cluster import aws_handle
from components.cluster.aws_handle import AwsHandle
from components.cluster.balanced_targets import PublicTarget
from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.cluster.instance_states import MemberInstance, members_in, missing_quorum
from components.engine.dynamic_resource import CURRENT, Operation
from components.fleet_unit import RollingUpdateProvider
from components.preview_checks import check_cluster
from fleetcaptain.errors import DeadlineExceeded, FleetCaptainError
from fleetcaptain.rollout.strays import StrayPolicy
from fleetcaptain.units.mark import Ownership
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.fake_site import APP, Site
from tests.unit.components.deployed import CONNECTION, STACK, unit_inputs, units_of

AWS: Mapping[str, Any] = {
    **CONNECTION,
    "kind": "aws",
    "ssh": [f"core@203.0.113.{number}" for number in (1, 2, 3)],
    "region": "eu-west-1",
}
TAG = STACK.replace("/", "-")
ALL = [("m1", "running"), ("m2", "running"), ("m3", "running")]


def page(*instances: tuple[str, str], stack: str = TAG) -> dict[str, Any]:
    """A page of EC2's answer: the names of *instances* without the *stack*, and their states."""
    found = [
        {
            "InstanceId": f"i-{name}",
            "State": {"Name": state},
            "Tags": [{"Key": "other", "Value": "x"}, {"Key": "Name", "Value": f"{stack}-{name}"}],
        }
        for name, state in instances
    ]
    return {"Reservations": [{"Instances": found}, {"Instances": []}]}


class Ec2:
    """EC2 with *instances*; *asked*: the filters of each question. *error*: it refuses to answer."""

    def __init__(self) -> None:
        self.instances: Sequence[tuple[str, str]] = ALL
        self.asked: list[Any] = []
        self.error: FleetCaptainError | None = None

    def get_paginator(self, operation: str) -> Ec2:
        """The pages of the answer."""
        assert operation == "describe_instances"
        return self

    def paginate(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """A page, and an empty one."""
        self.asked.append(filters["Filters"])
        if self.error:
            raise self.error
        yield page(*self.instances)
        yield {"Reservations": []}


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Ec2:
    """EC2, where all members run, and nothing that an earlier test knew."""
    aws_handle._answers.clear()
    aws_handle._warned.clear()
    found = Ec2()
    monkeypatch.setattr(aws_handle, "aws_client", lambda service, _connection: {"ec2": found}[service])
    return found


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What providers warn of, when they refresh."""
    messages: list[str] = []
    monkeypatch.setattr("components.engine.dynamic_resource.warn", messages.append)
    return messages


@contextmanager
def refreshing() -> Iterator[None]:
    """As in the providers' host."""
    token = CURRENT.set(Operation("urn", cast(Any, SimpleNamespace()), Event()))
    try:
        yield
    finally:
        CURRENT.reset(token)


def check() -> None:
    """The checks of a program without services."""
    check_cluster(AWS, Ownership(APP, STACK, frozenset()), (), {}, declared=(), policy=StrayPolicy.parse("error"))


@pytest.mark.usefixtures("ec2")
def test_a_preview_goes_on_without_the_cluster(site: Site) -> None:
    """The update may open ssh for this computer. What is not known is said, with ssh's own words, once."""
    site.unreachable = True

    def program() -> None:
        check()
        check()

    messages = FakeEngine().run(program, preview=True).messages
    assert [level for level, _ in messages] == ["warning"]
    assert "known only at the update" in messages[0][1]
    assert "fleet does not answer" in messages[0][1]


@pytest.mark.usefixtures("ec2")
def test_an_update_fails_without_the_cluster(site: Site) -> None:
    """By then its rules and machines are as they should be."""
    site.unreachable = True
    assert "fleet does not answer" in FakeEngine().refusal(check)


def test_units_stay_in_the_state_while_the_cluster_does_not_answer(site: Site, ec2: Ec2, warnings: list[str]) -> None:
    """A refresh comes before each update, also before the one that repairs. It warns once."""
    site.unreachable = True
    inputs = unit_inputs(cluster=dict(AWS))
    with refreshing():
        for _ in range(2):
            assert RollingUpdateProvider().read("web", {**inputs, "units": []}).inputs == inputs
    (warning,) = warnings
    assert "its units stay in the state" in warning
    assert ec2.asked == [[{"Name": "tag:fleetcaptain:stack", "Values": [STACK]}]]


def test_ec2_says_why_a_cluster_does_not_answer(site: Site, ec2: Ec2, warnings: list[str]) -> None:
    """ssh only says that it ended by its timeout."""
    ec2.instances = [("m1", "stopped"), ("worker", "running"), ("m3", "terminated")]
    site.unreachable = True
    with refreshing():
        assert handle_of(AWS).presence() is Presence.STOPPED
    assert "0 of 3 members run, and etcd needs 2. m1 (i-m1) is stopped." in warnings[0]
    assert "`aws ec2 start-instances --instance-ids i-m1`" in warnings[0]
    assert "`pulumi up` makes those again that are gone, with their data." in warnings[0]


NOT_OURS: list[Sequence[tuple[str, str]]] = [[], [("m1", "stopped"), ("m2", "stopped"), ("m3", "stopped")]]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("instances", NOT_OURS)
def test_a_cluster_that_answers_is_there_whatever_ec2_says(
    ec2: Ec2, warnings: list[str], instances: Sequence[tuple[str, str]]
) -> None:
    """Pulumi's provider may assume a role in another account than that of the shell, which may have a stack of the same
    name."""
    ec2.instances = instances
    with refreshing():
        assert handle_of(AWS).presence() is Presence.THERE
    assert warnings == []


def test_without_a_member_in_ec2_both_reasons_are_given(site: Site, ec2: Ec2, warnings: list[str]) -> None:
    """All are gone, or another account has them: EC2's answer is the same."""
    ec2.instances = [("worker", "running")]
    site.unreachable = True
    with refreshing():
        assert handle_of(AWS).presence() is Presence.STOPPED
    assert "fleet does not answer" in warnings[0]
    assert "(`aws sts get-caller-identity`): either the cluster is in another account, or all members" in warnings[0]


@pytest.mark.usefixtures("ec2")
def test_a_cluster_that_answers_is_there(site: Site) -> None:
    """And its units are read back."""
    inputs = unit_inputs(cluster=dict(AWS))
    site.start(units_of(inputs))
    with refreshing():
        assert handle_of(AWS).presence() is Presence.THERE
        found = RollingUpdateProvider().read("web", {**inputs, "units": []})
    assert found.outs is not None
    assert found.outs["machines"] != []


def test_without_an_answer_of_ec2_the_cluster_itself_is_asked(site: Site, ec2: Ec2, warnings: list[str]) -> None:
    """Who may not describe instances, or has no credentials here, can still reach the machines, or not."""
    ec2.error = FleetCaptainError("UnauthorizedOperation")
    with refreshing():
        assert handle_of(AWS).presence() is Presence.THERE
    aws_handle._answers.clear()
    site.unreachable = True
    with refreshing():
        assert handle_of(AWS).presence() is Presence.STOPPED
    assert "fleet does not answer" in warnings[0]


@pytest.mark.usefixtures("ec2")
def test_a_repaired_cluster_is_there_again(site: Site) -> None:
    """What was known before the repair is not believed for long; until then it is not asked again."""
    handle = handle_of(AWS)
    assert isinstance(handle, AwsHandle)
    site.unreachable = True
    assert handle.problem(lambda: 100)
    site.unreachable = False
    assert handle.problem(lambda: 129)
    assert handle.problem(lambda: 130) == ""


class Elb:
    """A load balancer, whose targets have one of *states* after the other."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def describe_target_health(self, **target: str) -> dict[str, Any]:
        """The health of the one target of a group."""
        assert target == {"TargetGroupArn": "arn:web"}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "refused":
            raise FleetCaptainError("Could not ask: AccessDenied")
        return {"TargetHealthDescriptions": [{"Target": {"Id": "i-1"}, "TargetHealth": {"State": state}}]}


def balanced(monkeypatch: pytest.MonkeyPatch, *states: str) -> None:
    """Wait for the balancer in front of web, for no time at all."""
    elb = Elb(*states)
    monkeypatch.setattr(aws_handle, "aws_client", lambda service, _connection: {"elbv2": elb}[service])
    handle_of(AWS).wait_balanced({"web": PublicTarget("arn:web", 1)}, -1, lambda _line: None, lambda: False)


def test_the_balancer_is_asked_for_each_public_service(monkeypatch: pytest.MonkeyPatch, warnings: list[str]) -> None:
    """By its own target group; who may not ask is warned, and does not wait."""
    balanced(monkeypatch, "initial", "healthy")
    with pytest.raises(DeadlineExceeded, match="i-1: unhealthy"):
        balanced(monkeypatch, "unhealthy")
    assert warnings == []
    balanced(monkeypatch, "refused")
    (warning,) = warnings
    assert "perhaps not at the load balancer yet. Could not ask: AccessDenied" in warning


def test_only_members_of_the_stack_are_members() -> None:
    """Neither workers nor those of a stack whose name begins with the same words; in the order of their numbers."""
    pages = [
        page(("m10", "running"), ("m2", "pending"), ("worker", "running"), ("m3", "terminated")),
        page(("m1", "running"), stack=f"{TAG}-2"),
        {"Reservations": [{"Instances": [{"InstanceId": "i-x", "State": {"Name": "running"}}]}]},
    ]
    assert members_in(pages, STACK) == (
        MemberInstance("m2", "i-m2", "pending"),
        MemberInstance("m10", "i-m10", "running"),
    )


@pytest.mark.parametrize(("running", "members", "enough"), [(2, 3, True), (1, 3, False), (3, 5, True), (2, 5, False)])
def test_etcd_needs_most_of_its_members(running: int, members: int, enough: bool) -> None:
    """Two instances of one member, while it is replaced, are one."""
    found = [MemberInstance(f"m{number}", f"i-{number}", "running") for number in range(1, running + 1)]
    assert (missing_quorum([*found, found[0]], members) == "") == enough
