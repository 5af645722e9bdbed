"""What is used of the insides of Pulumi's SDK is there, and without it everything still works, only plainer."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import _serialization, rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

from components import dynamic
from components.dynamic import PartialFailure, Provider
from components.orphan import answers, wait_for_end
from fleetcaptain.errors import RolloutFailed

HOSTILE = "<{% if a %}div{% endif %}>\x1b]0;title\x07\x9b\u202e\ud800"
SHOWN = r"<{ % if a %}div{% endif %}>\x1b]0;title\x07\x9b\u202e\ud800"


class Failing(Provider):
    """A provider whose operations fail in our ways."""

    def create(self, props: dict[str, Any]) -> Any:
        """Half-way."""
        raise PartialFailure("id", {"done": props["wanted"]}, "half of it")

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Whole."""
        raise RolloutFailed("it did not work")


class Context:
    """gRPC's, as a provider's host has it."""

    def __init__(self) -> None:
        self.trailing: Any = ()

    def set_trailing_metadata(self, metadata: Any) -> None:
        """What goes with the error."""
        self.trailing = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        """End the call."""
        raise RuntimeError(code, details)


def served(method: Any, request: Any, context: Any) -> None:
    """Call *method* as the host does: with its request and context in the frame below."""
    assert request is not None
    assert context is not None
    method()


def test_what_is_used_of_the_sdk_is_there() -> None:
    """A canary: when it fails after an upgrade, read components/dynamic.py before anything else."""
    assert list(inspect.signature(_serialization._serialize).parameters) == ["allow_secrets", "f", "args", "kwargs"]
    assert len(inspect.signature(serialize_provider).parameters) == 1
    assert "serialize_as_secret_always" in {*dir(ResourceProvider), *ResourceProvider.__annotations__}
    assert callable(rpc.serialize_properties)
    assert {"severity", "message", "urn", "ephemeral"} <= set(engine_pb2.LogRequest.DESCRIPTOR.fields_by_name)
    assert hasattr(engine_pb2_grpc, "EngineStub")
    wanted = {"id", "properties", "reasons", "inputs"}
    assert wanted <= set(provider_pb2.ErrorResourceInitFailed.DESCRIPTOR.fields_by_name)
    assert {"code", "message", "details"} <= set(status_pb2.Status.DESCRIPTOR.fields_by_name)


def test_the_hosts_servicer_is_as_we_hear_cancel_in_it() -> None:
    """A canary that reads the SDK's source: its ``Cancel(self, request, context)`` is what `_hear_cancel` changes, and
    request and context distinguish calls."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text()  # importing it would start it
    for part in (
        "class DynamicResourceProviderServicer",
        "def Cancel(self, request, context)",
        "def Create(self, request, context)",
    ):
        assert part in text


def test_the_hosts_threads_are_widened() -> None:
    """Its four would be the limit for rollouts that go on side by side; the pool is found in the worker's own frame."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(dynamic._widen_pool).result()
        assert pool._max_workers > 4
        assert pool.submit(int).result() == 0


def test_outside_of_the_host_no_pool_is_widened() -> None:
    """A canary: four operations at a time then, and nothing fails."""
    with ThreadPoolExecutor(1) as pool:
        dynamic._widen_pool()
        assert pool._max_workers == 1


def test_a_cancel_of_the_engine_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host only answers it; its method is changed where it stands, since the server holds it already."""

    class DynamicResourceProviderServicer:
        def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's own name
            raise NotImplementedError(request, context)

    monkeypatch.setattr(
        sys.modules["__main__"], "DynamicResourceProviderServicer", DynamicResourceProviderServicer, False
    )
    held = DynamicResourceProviderServicer().Cancel
    dynamic._hear_cancel()
    assert not dynamic.cancelled()
    held(None, None)
    assert dynamic.cancelled()


def test_a_host_that_answers_cancel_in_another_way_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version may; then a cancel goes unnoticed, and nothing fails."""

    class DynamicResourceProviderServicer:
        def Cancel(self, call: Any) -> str:  # noqa: N802 - the protocol's own name
            return f"answered {call}"

    monkeypatch.setattr(
        sys.modules["__main__"], "DynamicResourceProviderServicer", DynamicResourceProviderServicer, False
    )
    dynamic._hear_cancel()
    assert DynamicResourceProviderServicer().Cancel("it") == "answered it"


def test_an_error_of_ours_ends_the_call_with_its_text_alone() -> None:
    """No traceback."""
    context = Context()
    with pytest.raises(RuntimeError) as raised:
        served(lambda: Failing().delete("id", {}), provider_pb2.DeleteRequest(urn="urn"), context)
    assert raised.value.args == (grpc.StatusCode.UNKNOWN, "it did not work")


def test_a_half_done_operation_leaves_its_state_with_the_engine() -> None:
    """In the detail that the engine keeps the resource by, with its provider."""
    context, request = Context(), provider_pb2.CreateRequest()
    request.properties.update({"wanted": "all", "__provider": "pickle"})
    with pytest.raises(RuntimeError):
        served(lambda: Failing().create({"wanted": "all"}), request, context)
    ((key, value),) = context.trailing
    status, detail = status_pb2.Status(), provider_pb2.ErrorResourceInitFailed()
    status.ParseFromString(value)
    status.details[0].Unpack(detail)
    assert key == "grpc-status-details-bin"
    assert detail.id == "id"
    assert dict(detail.properties) == {"done": "all", "__provider": "pickle"}
    assert list(detail.reasons) == ["half of it"]


@pytest.mark.parametrize("error", [RolloutFailed(HOSTILE), ValueError(HOSTILE), PartialFailure("id", {}, HOSTILE)])
def test_whatever_an_operation_raises_is_printable(error: Exception) -> None:
    """Pulumi prints it as it is, and panics at a colour that it does not know."""

    class Raising(Provider):
        def create(self, _props: dict[str, Any]) -> Any:
            raise error

    context = Context()
    with pytest.raises(RuntimeError) as raised:
        served(lambda: Raising().create({}), provider_pb2.CreateRequest(), context)
    assert raised.value.args[1].removeprefix("ValueError: ") == SHOWN
    for _, value in context.trailing:
        status, detail = status_pb2.Status(), provider_pb2.ErrorResourceInitFailed()
        status.ParseFromString(value)
        status.details[0].Unpack(detail)
        assert (status.message, list(detail.reasons)) == (SHOWN, [SHOWN])


def test_what_an_operation_gives_back_is_printable() -> None:
    """All that it read on the cluster, at any depth. How the cluster is reached is used again, and stays."""
    outs = {"unit": HOSTILE, "names": [{HOSTILE: (HOSTILE, 1, None)}], "cluster": {"key": "/home/\u200b/key"}}
    shown = {"unit": SHOWN, "names": [{SHOWN: [SHOWN, 1, None]}], "cluster": {"key": "/home/\u200b/key"}}

    class Reading(Provider):
        def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
            return ReadResult(id_, props, props)

        def create(self, props: dict[str, Any]) -> CreateResult:
            return CreateResult("id", props)

        def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
            return CheckResult(news, [CheckFailure("size", HOSTILE)])

    read, checked = Reading().read("id", outs), Reading().check({}, outs)
    assert (read.outs, read.inputs, Reading().create(outs).outs) == (shown, shown, shown)
    assert (checked.inputs, [one.reason for one in checked.failures]) == (outs, [SHOWN])


def test_without_the_hosts_context_our_errors_pass_as_they_are() -> None:
    """The host then says them in its own way."""
    with pytest.raises(RolloutFailed):
        Failing().delete("id", {})
    with pytest.raises(PartialFailure):
        Failing().create({"wanted": "all"})


def test_messages_are_shown_with_the_resource_that_is_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A status in its row, a warning under the diagnostics; outside of a call there is no resource, and no message."""
    lines: list[engine_pb2.LogRequest] = []

    class Engine:
        def Log(self, line: engine_pb2.LogRequest, timeout: float) -> None:  # noqa: N802 - the protocol's own name
            assert timeout < 10
            lines.append(line)

    monkeypatch.setattr(dynamic, "_engine", Engine)
    request = provider_pb2.DeleteRequest(urn="urn")
    served(lambda: dynamic.status("working"), request, Context())
    served(lambda: dynamic.warn(HOSTILE), request, Context())
    dynamic.status("of nothing")
    assert [(line.urn, line.message, line.severity, line.ephemeral) for line in lines] == [
        ("urn", "working", engine_pb2.INFO, True),
        ("urn", SHOWN, engine_pb2.WARNING, False),
    ]


def test_without_an_engine_a_message_is_dropped() -> None:
    """A canary: no engine is looked for, and nothing fails."""
    served(lambda: dynamic.status("working"), provider_pb2.DeleteRequest(urn="urn"), Context())
    assert dynamic._engine() is None


def test_an_engine_that_was_killed_cancels_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orphan must not go on."""
    monkeypatch.setattr(sys, "argv", ["provider", "127.0.0.1:1"])
    served(lambda: dynamic.status("working"), provider_pb2.DeleteRequest(urn="urn"), Context())
    assert dynamic.cancelled()


def test_an_orphan_waits_for_its_present_step_and_then_ends() -> None:
    """It asks to stop first, and does not believe one refused connection."""
    there, busy, stopped, slept = iter([True, False, True, False, False, False]), iter([True, True, False]), [0], [0]

    def sleep(_seconds: float) -> None:
        slept[0] += 1

    def stop() -> None:
        stopped[0] = slept[0]

    wait_for_end(lambda: next(there), stop, lambda: next(busy), sleep)
    assert (stopped[0], slept[0]) == (6, 8)


def test_only_a_refused_connection_says_that_the_engine_is_gone() -> None:
    """Anything else may be the network's mood."""
    assert answers("127.0.0.1:1") is False
    assert answers("192.0.2.1.invalid:1") is True
