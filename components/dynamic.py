"""What the dynamic-provider SDK lacks, in one place. Everything here that touches its insides falls back to plain
behaviour when they change: four operations at a time, no status line, longer error texts, no clean cancel.

The rules it works around were measured with CLI and SDK 3.259: see docs/architecture.md.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc
import pulumi
from google.protobuf.any_pb2 import Any as AnyMessage
from pulumi.dynamic import CheckFailure, CheckResult, ConfigureRequest, ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime._serialization import _serialize
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

from components.orphan import end_with
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.printable import printable

__all__ = ["PartialFailure", "Provider", "Resource", "cancelled", "status", "warn"]

_T = TypeVar("_T")
_THREADS = 64
_LOG_TIMEOUT_SEC = 2
# Where the cluster is and what lies where on this computer: the program's own words, which are used again as they are.
_OWN = frozenset({"__provider", "cluster", "connection", "home", "tools"})

_cancel = threading.Event()
_pickles: dict[type, str] = {}
_under_way: set[object] = set()


class PartialFailure(Exception):
    """An operation that failed half-way: the resource is kept in state with *outs*, and the next ``up`` updates it."""

    def __init__(self, id_: str, outs: Mapping[str, Any], reason: str) -> None:
        self.id = id_
        self.outs = dict(outs)
        self.reason = reason
        super().__init__(reason)


class Provider(ResourceProvider):
    """Base of all providers: stateless, and with errors that say one thing. Subclasses live in importable modules.

    All that they say or give back is `printable`: Pulumi prints errors, messages and outputs, and in a diff what `read`
    found on the cluster.
    """

    serialize_as_secret_always: bool = False

    def __init_subclass__(cls) -> None:
        for name in ("check", "diff", "create", "read", "update", "delete"):
            if name in cls.__dict__:
                setattr(cls, name, _printed(cls.__dict__[name]))

    def configure(self, _req: ConfigureRequest) -> None:
        """Called once in a provider's process, before anything else."""
        _widen_pool()
        _hear_cancel()
        _end_with_engine()


class Resource(pulumi.CustomResource):
    """A dynamic resource whose provider is pickled once per class and by reference.

    The SDK's own base pickles at every construction, and fails with a RecursionError near the thousandth.
    """

    def __init__(
        self,
        provider: type[Provider],
        kind: str,
        name: str,
        props: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        if provider not in _pickles:
            _pickles[provider], _ = _serialize(True, serialize_provider, provider())
        merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(hide_diffs=["__provider"]), opts)
        super().__init__(
            f"pulumi-python:dynamic/fleet:{kind}", name, {**props, "__provider": _pickles[provider]}, merged
        )


def cancelled() -> bool:
    """Whether the user asked the engine to stop (the first ^C)."""
    return _cancel.is_set()


def status(message: str) -> None:
    """Show *message* in the row of the resource that is being worked on; without a terminal, as a line of its own."""
    _log(message, engine_pb2.INFO, ephemeral=True)


def warn(message: str) -> None:
    """Say *message* as a warning of the resource that is being worked on, under the engine's diagnostics."""
    _log(message, engine_pb2.WARNING, ephemeral=False)


def _log(message: str, severity: Any, *, ephemeral: bool) -> None:
    request, _ = _rpc()
    urn = getattr(request, "urn", "")
    stub = _engine()
    if stub is None or not urn:
        return
    line = engine_pb2.LogRequest(severity=severity, message=printable(message), urn=urn, ephemeral=ephemeral)
    try:
        stub.Log(line, timeout=_LOG_TIMEOUT_SEC)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            _cancel.set()  # the engine was killed: an orphan must not go on


@functools.cache
def _engine() -> Any:
    """The engine's log service."""
    address = _engine_address()
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None


def _engine_address() -> str:
    """Where the engine listens: the host gives it as the only argument of a provider's process."""
    return next((word for word in sys.argv[1:2] if ":" in word), "")


@functools.cache
def _end_with_engine() -> None:
    address = _engine_address()
    if address:
        end_with(address, _cancel.set, lambda: bool(_under_way))


def _rpc() -> tuple[Any, Any]:
    """The request and the gRPC context of the call that this thread serves, from the host's frame below ours."""
    frame = sys._getframe()
    while frame is not None:
        names = frame.f_locals
        if "request" in names and "context" in names and hasattr(names["context"], "abort"):
            return names["request"], names["context"]
        frame = frame.f_back  # type: ignore[assignment]
    return None, None


def _printed(method: Callable[..., _T]) -> Callable[..., _T]:
    """Make what *method* gives back printable, and turn errors into ``error: <text>``: the host's own way adds words
    and, in later versions, a traceback, and passes on whatever characters are in it."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> _T:
        me = object()
        _under_way.add(me)
        try:
            return _printable_result(method(*args, **kwargs))
        except PartialFailure as failure:
            _abort_partial(failure)
            raise
        except FleetCaptainError as error:
            _abort(str(error))
            raise
        except Exception as error:
            _abort(f"{type(error).__name__}: {error}")
            raise
        finally:
            _under_way.discard(me)

    return call


def _printable_result(result: _T) -> _T:
    """*result*, with what it says of the cluster made printable in place."""
    if isinstance(result, CheckResult):
        result.failures = [CheckFailure(one.property, printable(one.reason)) for one in result.failures or ()]
        return result
    for name in ("outs", "inputs"):
        values = getattr(result, name, None)
        if values is not None:
            setattr(result, name, _printable_outs(values))
    return result


def _printable_outs(outs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if key in _OWN else _printable_value(value) for key, value in outs.items()}


def _printable_value(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {_printable_value(key): _printable_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_printable_value(entry) for entry in value]
    return value


def _abort(message: str) -> None:
    """End the call with *message*; nothing happens outside of the host."""
    _, context = _rpc()
    if context is not None:
        context.abort(grpc.StatusCode.UNKNOWN, printable(message))


def _abort_partial(failure: PartialFailure) -> None:
    request, context = _rpc()
    if context is None:
        return
    given = getattr(request, "news", None) or getattr(request, "properties", None)
    outs, reason = _printable_outs(failure.outs), printable(failure.reason)
    if given is not None and "__provider" in given:
        outs["__provider"] = given["__provider"]
    detail = provider_pb2.ErrorResourceInitFailed(
        id=failure.id, properties=_struct(outs), reasons=[reason], inputs=given
    )
    packed = AnyMessage()
    packed.Pack(detail)
    message = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason, details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", message.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, reason)


def _struct(outs: Mapping[str, Any]) -> Any:
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(dict(outs), {}))
    finally:
        loop.close()


def _widen_pool() -> None:
    """The host serves four calls at a time; a rollout holds its thread for minutes."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "_worker" and "executor_reference" in frame.f_locals:
            executor = frame.f_locals["executor_reference"]()
            if hasattr(executor, "_max_workers"):
                executor._max_workers = _THREADS
            return
        frame = frame.f_back  # type: ignore[assignment]


def _hear_cancel() -> None:
    """The host answers the engine's Cancel and tells nobody. The server holds the method since before we came, so it
    is the function's code that changes; it may use nothing of this module but by importing it."""
    servicer = getattr(sys.modules.get("__main__"), "DynamicResourceProviderServicer", None)
    answer = getattr(servicer, "Cancel", None)
    if answer is None or answer.__code__.co_varnames[:3] != _cancel_and_answer.__code__.co_varnames[:3]:
        return
    answer.__code__ = _cancel_and_answer.__code__


def _cancel_and_answer(self: Any, request: Any, context: Any) -> Any:  # noqa: ARG001
    from google.protobuf import empty_pb2

    from components.dynamic import _cancel

    _cancel.set()
    return empty_pb2.Empty()
