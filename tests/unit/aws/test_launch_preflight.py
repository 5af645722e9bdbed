"""The preflight in the program: what it asks of AWS, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import pytest

from components.aws import launch_preflight
from components.aws.client_facts import ClientFacts
from components.aws.launch_findings import Made
from components.aws.launch_preflight import made_in
from components.aws.recorded_types import READY
from components.aws.settings import Settings
from fleetcaptain.errors import ClusterRefused
from tests.fakes.fake_engine import FakeEngine
from tests.unit.aws.declared import CLIENT, ZONES, aws_engine, declare

_KEY_PAIR = "aws:ec2/getKeyPair:getKeyPair"
_QUOTA = "aws:servicequotas/getServiceQuota:getServiceQuota"


def state(*resources: tuple[str, str, Mapping[str, Any]]) -> dict[str, Any]:
    """The stack's state with *resources*, (type, name, outputs)."""
    return {f"urn::prod::{kind}::{name}": {"type": kind, "outputs": outputs} for kind, name, outputs in resources}


COMPLETE = state(
    (READY, "cluster", {}),
    ("aws:ec2/vpc:Vpc", "cluster", {"cidrBlock": "10.71.0.0/16"}),
    *(("aws:ec2/eip:Eip", f"cluster-m{number}", {}) for number in (1, 2, 3)),
    *(
        ("aws:ebs/volume:Volume", f"cluster-m{number}-etcd", {"availabilityZone": zone})
        for number, zone in enumerate(ZONES, 1)
    ),
)


READY_URN = f"urn::prod::{READY}::cluster"


def ready_with(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """`COMPLETE`, with these outputs of its `ClusterReady`."""
    return {**COMPLETE, READY_URN: {"type": READY, "outputs": outputs}}


def without(kind: str) -> dict[str, Any]:
    """`COMPLETE` without the resources of this kind."""
    return {urn: entry for urn, entry in COMPLETE.items() if entry["type"] != kind}


class _Failed(grpc.RpcError):
    """The error of a provider, as the engine passes it on."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


def failing(text: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """An answer that is an error."""

    def answer(_arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        raise _Failed(text)

    return answer


def asked(engine: FakeEngine) -> set[str]:
    """The functions that the program called."""
    return {token for token, _ in engine.calls}


def test_nothing_is_declared_when_the_cluster_could_not_start() -> None:
    """All errors come at once, from AWS and from this computer."""
    engine = aws_engine()
    engine.answers = {**engine.answers, _KEY_PAIR: failing("no matching EC2 Key Pair found"), _QUOTA: {"value": 5}}
    with pytest.raises(ClusterRefused) as raised:
        declare({"allowSshFrom": ""}, engine=engine, ask_client=lambda _settings: ClientFacts(missing=("aws",)))
    assert [line.split(" is ")[0][:36] for line in raised.value.problems] == [
        "aws",
        "fleetcaptain:keyPair: the region eu-",
        "the machines need 6 vCPUs, and 5 of ",
    ]
    assert set(engine.resources) == {("CoreOSCluster", "cluster")}


def test_an_account_that_may_not_be_asked_is_no_obstacle() -> None:
    """It says what was not checked."""
    engine = aws_engine()
    denied = "operation error EC2: UnauthorizedOperation: You are not authorized to perform this operation."
    engine.answers = {**engine.answers, _KEY_PAIR: failing(denied), _QUOTA: failing("AccessDeniedException: no")}
    declare(engine=engine)
    (note,) = [text for level, text in engine.messages if level == "info"]
    assert "the key pair: no permission (UnauthorizedOperation)" in note
    assert "the quota of vCPUs: no permission (AccessDenied)" in note
    assert engine.of("Instance")


def test_a_cluster_that_is_complete_is_not_checked_again() -> None:
    """Until it grows: then quotas matter."""

    def never(_settings: Settings) -> ClientFacts:
        raise AssertionError("looked")

    assert _KEY_PAIR not in asked(declare(recorded=COMPLETE, ask_client=never))
    grown = declare({"size": "4"}, recorded=COMPLETE, ask_client=lambda _settings: CLIENT)
    assert {_KEY_PAIR, _QUOTA} <= asked(grown)


@pytest.mark.parametrize(
    ("recorded", "is_error"),
    [
        ({}, True),
        (without(READY), True),
        (ready_with({"allow_ssh_from": []}), False),
        (ready_with({"allow_ssh_from": ["198.51.100.7/32"]}), True),
    ],
)
@pytest.mark.parametrize("size", ["3", "4"])
def test_credentials_of_the_provider_alone_are_refused_until_a_session_worked(
    monkeypatch: pytest.MonkeyPatch, recorded: Mapping[str, Any], is_error: bool, size: str
) -> None:
    """A cluster that answered through Systems Manager keeps working, also while it grows: the AWS CLI has credentials
    of its own."""
    monkeypatch.setattr(launch_preflight, "_provider_keys", lambda: ["assumeRoles"])
    declared = aws_engine(recorded=recorded)
    config = {"allowSshFrom": "", "size": size}
    if is_error:
        with pytest.raises(ClusterRefused, match="aws:assumeRoles: ssh uses AWS Systems Manager") as raised:
            declare(config, engine=declared)
        verb = "update" if READY_URN in recorded else "create"
        assert str(raised.value).startswith(f"Cannot {verb} the cluster. Nothing was changed:")
        return
    declare(config, engine=declared)
    (warning,) = [text for level, text in declared.messages if level == "warning"]
    assert warning.startswith("aws:assumeRoles: ")


def test_the_state_is_read_once() -> None:
    """It is large, and each reading is the whole of it."""
    calls = [token for token, _ in declare(recorded=COMPLETE).calls]
    assert calls.count("pulumi:pulumi:readStackResourceOutputs") == 1


def test_what_runs_in_the_account_is_counted() -> None:
    """By the size of each; those of the spot market have another quota."""
    engine = aws_engine()

    def instances(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"ids": ["i-spot"] if arguments.get("filters") else ["i-spot", "i-1", "i-2"]}

    engine.answers = {
        **engine.answers,
        _QUOTA: {"value": 9},
        "aws:ec2/getInstances:getInstances": instances,
        "aws:ec2/getInstance:getInstance": {"instanceType": "m6i.large"},
    }
    with pytest.raises(ClusterRefused, match="need 6 vCPUs, and 5 of your quota of 9 are free"):
        declare(engine=engine)


def test_the_state_says_what_is_made() -> None:
    """Members by their addresses, workers by their group."""
    group = ("aws:autoscaling/group:Group", "cluster-workers")
    addresses: dict[tuple[str, str], dict[str, Any]] = {
        ("aws:ec2/eip:Eip", f"cluster-m{number}"): {} for number in (1, 2)
    }
    assert made_in({}, "cluster", has_zones=False) == Made()
    resources = {**addresses, group: {"desiredCapacity": 4}}
    assert made_in(resources, "cluster", has_zones=True) == Made(2, 4, has_zones=True)
