"""The base of dynamic resources, and the engine's services for an operation of their providers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc
import pulumi
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from components.engine.announcements import Announcements
from fleetcaptain.printable import printable

__all__ = [
    "CURRENT",
    "Operation",
    "PartialFailure",
    "Resource",
    "announce",
    "announce_warning",
    "cancelled",
    "is_declared",
    "stack_of_operation",
    "status",
    "type_of",
    "warn",
]

_LOG_TIMEOUT_SEC = 2


def type_of(kind: str) -> str:
    """The type of dynamic resources of a *kind*, as states and plans have it. Pure."""
    return f"pulumi-python:dynamic/fleet:{kind}"


class Resource(pulumi.CustomResource):
    """A dynamic resource of a *kind*, for which `components.host.provider_registry` has the provider."""

    def __init__(
        self, kind: str, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_of(kind), name, dict(props), opts)


@dataclass(frozen=True)
class Operation:
    """A call of the *engine* on the resource *urn*. *cancel* is set when the user asks the engine to stop. *declared*:
    a comparison with what the program declares, not one of a refresh. *announcements*: of all operations of this run of
    the engine."""

    urn: str
    engine: engine_pb2_grpc.EngineStub
    cancel: threading.Event
    declared: bool = False
    announcements: Announcements = field(default_factory=Announcements)


CURRENT: ContextVar[Operation] = ContextVar("operation")
"""The operation of this thread. `components.host.provider_service` sets it; elsewhere there is none."""


class PartialFailure(Exception):
    """An operation that failed partially: the resource is kept in state with *outs*, and the next ``up`` updates it."""

    def __init__(self, id_: str, outs: Mapping[str, Any], reason: str) -> None:
        self.id = id_
        self.outs = dict(outs)
        super().__init__(reason)


def cancelled() -> bool:
    """Whether the user asked the engine to stop (the first ^C), or the engine is gone."""
    operation = CURRENT.get(None)
    return operation is not None and operation.cancel.is_set()


def is_declared() -> bool:
    """Whether the present comparison is with what the program declares; true without an operation."""
    operation = CURRENT.get(None)
    return operation is None or operation.declared


def stack_of_operation() -> str:
    """The name of the stack of the present operation; "" without one."""
    operation = CURRENT.get(None)
    return operation.urn.partition("::")[0].removeprefix("urn:pulumi:") if operation else ""


def status(message: str) -> None:
    """Show *message* in the row of the current resource; without a terminal, as a line of its own."""
    _log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=printable(message), ephemeral=True))


def warn(message: str) -> None:
    """Show *message* as a warning of the current resource, under the engine's diagnostics."""
    _log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=printable(message)))


def announce(line: str) -> None:
    """Collect *line* for `show_announcements`."""
    if operation := CURRENT.get(None):
        operation.announcements.lines.append(line)


def announce_warning(names: str, text: str) -> None:
    """Collect the warning *text* about *names*; `show_announcements` shows it once, with all names."""
    if operation := CURRENT.get(None):
        operation.announcements.warnings.setdefault(text, []).append(names)


def _log(request: engine_pb2.LogRequest) -> None:
    if operation := CURRENT.get(None):
        request.urn = operation.urn
        with suppress(grpc.RpcError):  # a message that the engine rejects must not fail the operation
            operation.engine.Log(request, timeout=_LOG_TIMEOUT_SEC)
