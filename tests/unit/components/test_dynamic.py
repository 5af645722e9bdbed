"""What is used of the insides of Pulumi's SDK is there, and without it everything still works, only plainer."""

from __future__ import annotations

import importlib.util
import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import _serialization, rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

from components import dynamic
from components.dynamic import PartialFailure, Provider
from components.orphan import answers, wait_for_end
from fleetcaptain.errors import RolloutFailed


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
    """When this fails after an upgrade, read components/dynamic.py before anything else."""
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
    """Its ``Cancel(self, request, context)`` is what changes, and request and context are how calls are told apart."""
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


def test_without_the_hosts_frames_nothing_is_widened_and_nothing_breaks() -> None:
    """Four operations at a time then."""
    dynamic._widen_pool()
    dynamic._hear_cancel()


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


def test_without_the_hosts_context_our_errors_pass_as_they_are() -> None:
    """The host then says them in its own way."""
    with pytest.raises(RolloutFailed):
        Failing().delete("id", {})
    with pytest.raises(PartialFailure):
        Failing().create({"wanted": "all"})


def test_without_an_engine_a_status_line_is_not_said() -> None:
    """And nothing fails."""
    served(lambda: dynamic.status("working"), provider_pb2.DeleteRequest(urn="urn"), Context())


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
