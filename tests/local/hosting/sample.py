"""A program and a provider that write down what they are called for, to be served by the product's host."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from components.engine.announcements import show_announcements
from components.engine.dynamic_resource import PartialFailure, Resource, announce, cancelled, is_declared
from components.engine.stack_outputs import keep_outputs
from fleetcaptain.errors import RolloutFailed

__all__ = ["CALLS", "PROVIDERS", "SECRETS", "SampleProvider", "declare"]

CALLS = "calls"
"""The file, in the project's folder, that has a line for each call: its name, the resource and the process."""
SECRETS = ("hunter2", "hunter3")
_STEP_SEC = 0.05


class SampleProvider(ResourceProvider):
    """Inputs: ``name``; ``steps``, how many steps an operation takes; ``half``, whether it then fails half-way; and
    secrets. Outputs: the inputs, and ``out``."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Take the steps."""
        return CreateResult(props["name"], _work("create", props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Announce a change, as services do."""
        if is_declared() and olds["steps"] != news["steps"]:
            announce(f"{news['name']} takes other steps")
        return DiffResult()

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Take the steps."""
        return UpdateResult(_work("update", news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Nothing changes."""
        _call("read", props)
        return ReadResult(id_, props, {key: value for key, value in props.items() if key != "out"})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Nothing is to be done."""
        _call("delete", props)


PROVIDERS = {"Sample": SampleProvider}


def _call(name: str, props: dict[str, Any]) -> None:
    with Path(CALLS).open("a") as file:
        file.write(f"{name} {props['name']} {os.getpid()}\n")


def _work(name: str, props: dict[str, Any]) -> dict[str, Any]:
    _call(name, props)
    for _ in range(int(props["steps"])):
        time.sleep(_STEP_SEC)
        if cancelled():
            _call("stopped", props)
            raise RolloutFailed("stopped on request")
    if props["half"]:
        raise PartialFailure(props["name"], props, "half of it")
    return {**props, "out": f"{props['name']}!"}


class Sample(Resource):
    """A resource of `SampleProvider`."""

    out: pulumi.Output[str]

    def __init__(self, name: str, **inputs: Any) -> None:
        super().__init__("Sample", name, {"name": name, "out": None, **inputs})


def declare() -> None:
    """The program: as many resources as the environment says, one that needs an output of the first, and that one's
    output as the stack's."""
    keep_outputs({"stack": "sample"})
    word, words = pulumi.Output.secret(SECRETS[0]), {"deep": [pulumi.Output.secret(SECRETS[1])]}
    inputs = {"steps": int(os.environ.get("STEPS", "0")), "half": "HALF" in os.environ}
    first, *_ = [
        Sample(f"web{number}", word=word, words=words, **inputs) for number in range(int(os.environ.get("COUNT", "1")))
    ]
    last = Sample("last", after=first.out, **inputs)
    show_announcements(last.out)
    pulumi.export("stack", "sample")
    pulumi.export("after", last.out)
