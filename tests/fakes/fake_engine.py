"""Pulumi's engine in memory: it records what a program declares, and answers with plausible outputs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import posix
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from unittest import mock

import pulumi
import pytest
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, rpc, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import SETTINGS, get_root_resource

__all__ = ["PROJECT", "STACK", "FakeEngine"]

PROJECT, STACK = "fleetcaptain", "prod"
# After any other status the language host adds an error of its own.
_ALL_SAID = 32
Answers = Mapping[str, Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]]
# A stack that has nothing in its state yet.
_UNASKED: Answers = {
    "pulumi:pulumi:readStackResourceOutputs": {"outputs": {}},
    "pulumi-python:dynamic/fleet:announced": {"lines": "", "warnings": []},
}


@dataclass
class FakeEngine(Mocks):
    """Runs programs, each in a context of its own, so that no state of Pulumi's SDK outlives a run, and with functions
    of `os` of its own, some of which a program replaces for its process.

    *answers*: function token -> its result, or what computes it from the arguments. *computed*: (kind, name) -> the
    outputs of a resource in addition to its inputs; a kind is the last word of a resource's type.

    Recorded: *resources*, (kind, name) -> inputs; *requests*, (kind, name) -> the registration with all its options;
    *calls*, (function token, arguments); *hooks*, name -> error hook; *resource_hooks*, name -> hook before or after an
    operation; *outputs*, the stack's; *registered*, those of components by their names; *messages*, (level, text) of
    each log message.
    """

    answers: Answers = field(default_factory=dict)
    computed: Callable[[str, str], Mapping[str, Any]] = lambda _kind, _name: {}
    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    requests: dict[tuple[str, str], Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    hooks: dict[str, pulumi.ErrorHook] = field(default_factory=dict)
    resource_hooks: dict[str, pulumi.ResourceHook] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: list[tuple[str, str]] = field(default_factory=list)

    def run(
        self, program: Callable[[], object], config: Mapping[str, str] | None = None, *, preview: bool = False
    ) -> FakeEngine:
        """Run *program* with the stack's *config* (keys without the project's name). Raises what the program raises,
        SystemExit too."""
        ends = {name: getattr(os, name) for name in ("_exit", "execv", "execve")}
        with mock.patch.multiple(os, **ends), mock.patch.multiple(posix, **ends):
            contextvars.Context().run(self._run, program, config or {}, preview)
        return self

    def refusal(
        self, program: Callable[[], object], config: Mapping[str, str] | None = None, *, preview: bool = False
    ) -> str:
        """Run a *program* that has to end before its end, with a single error: the text of that error."""
        with pytest.raises(SystemExit) as ended:
            self.run(program, config, preview=preview)
        assert ended.value.code == _ALL_SAID
        (message,) = [text for level, text in self.messages if level == "error"]
        return message

    def _run(self, program: Callable[[], object], config: Mapping[str, str], preview: bool) -> None:
        logger = logging.Logger("engine")
        logger.addHandler(_Recorder(self.messages))
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            set_mocks(self, PROJECT, STACK, preview, logger, _Monitor(self))
            # The SDK would serve its callbacks over the network.
            SETTINGS.callbacks = cast(Any, self)
            set_all_config({f"{PROJECT}:{key}": value for key, value in config.items()}, [])
            in_stack: Any = pulumi.runtime.test
            in_stack(lambda: self._collect(program))()
        finally:
            _close(loop)

    def _collect(self, program: Callable[[], object]) -> pulumi.Output[None]:
        program()
        stack: Any = get_root_resource()
        return pulumi.Output.from_input(dict(stack.outputs)).apply(self.outputs.update)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Create a resource: its id is its kind and name, its outputs are its inputs and what is computed."""
        kind = _kind(args.typ)
        self.resources[kind, args.name] = dict(args.inputs)
        return f"{kind}/{args.name}", {**self.computed(kind, args.name), **args.inputs}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Call a provider's function."""
        self.calls.append((args.token, dict(args.args)))
        answer = self.answers[args.token] if args.token in self.answers else _UNASKED[args.token]
        return dict(answer(args.args) if callable(answer) else answer), []

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """Keep a hook that the engine would call when an operation fails."""
        self.hooks[hook.name] = hook

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Keep a hook that the engine would call before or after an operation."""
        self.resource_hooks[hook.name] = hook

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Name -> inputs, of all resources of a *kind*."""
        return {name: inputs for (found, name), inputs in self.resources.items() if found == kind}

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The inputs of one resource."""
        return self.resources[kind, name]

    def dependencies(self, kind: str, name: str) -> set[tuple[str, str]]:
        """(kind, name) of each resource that one depends on, by its options or by its inputs."""
        return {_resource(urn) for urn in self.requests[kind, name].dependencies}


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks of a program that ended early: nothing waits for them."""
    loop.set_exception_handler(lambda _loop, _context: None)
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()


class _Monitor(MockMonitor):
    """Keeps the registrations themselves, which carry the options of resources."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the protocol's own name
        """Record the registration, and answer it."""
        if isinstance(self.mocks, FakeEngine):
            self.mocks.requests[_kind(request.type), request.name] = request
        answer: Any = super().RegisterResource
        return answer(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  the protocol's own name
        """Record the outputs of a component."""
        if isinstance(self.mocks, FakeEngine):
            self.mocks.registered[request.urn.rpartition("::")[2]] = rpc.deserialize_properties(request.outputs)
        answer: Any = super().RegisterResourceOutputs
        return answer(request)


class _Recorder(logging.Handler):
    def __init__(self, messages: list[tuple[str, str]]) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno > logging.DEBUG:
            self._messages.append((record.levelname.lower(), record.getMessage()))


def _kind(type_: str) -> str:
    return type_.rpartition(":")[2]


def _resource(urn: str) -> tuple[str, str]:
    *_, type_, name = urn.split("::")
    return _kind(type_), name
