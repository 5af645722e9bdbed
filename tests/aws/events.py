"""What the engine tells of a run, line by line, as values to assert on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Run", "Step", "read"]

_SILENT = frozenset({"same", "refresh", "read"})


@dataclass(frozen=True)
class Step:
    """One step of the engine: *op* (``create``, ``update``, ``create-replacement``...), on what, and why.

    *changed*: paths of the inputs that differ. *forced*: those of them that replace. *inputs*: as they are
    after it, or will be.
    """

    op: str
    urn: str
    changed: frozenset[str]
    forced: frozenset[str]
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        """Its type's short name: ``Instance``."""
        return self.urn.split("::")[2].rpartition("$")[2].rpartition(":")[2]

    @property
    def what(self) -> str:
        """Type and name: ``Instance cluster-m1``."""
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Run:
    """A run of ``pulumi``: its exit *code*, its *steps* in the order in which they began, what it complained about, and
    all that it said, for a failure's message."""

    code: int
    steps: tuple[Step, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    output: str

    def did(self, *ops: str) -> list[str]:
        """What the steps with *ops* were about, in order."""
        return [step.what for step in self.steps if step.op in ops]

    @property
    def replaced(self) -> list[str]:
        """What is replaced, sorted."""
        return sorted(self.did("replace"))

    @property
    def updated(self) -> list[str]:
        """What is changed in place, sorted."""
        return sorted(self.did("update"))

    @property
    def changes(self) -> list[str]:
        """Every step that touches anything, in order: ``create Vpc cluster``."""
        return [f"{step.op} {step.what}" for step in self.steps if step.op not in _SILENT]

    def step(self, what: str, *ops: str) -> Step:
        """The only step about *what*, of those with *ops* when given."""
        found = [step for step in self.steps if step.what == what and (step.op in ops or not ops)]
        assert len(found) == 1, f"{len(found)} steps are about {what!r}: {self.changes}"
        return found[0]

    def before(self, first: str, second: str) -> bool:
        """Whether the change *first* began before the change *second*."""
        return self.changes.index(first) < self.changes.index(second)


def read(code: int, lines: Iterable[str], errors: str) -> Run:
    """The run whose events are *lines*; *errors* is what it wrote on its standard error."""
    steps, told, warned = [], [], []
    rest = [errors]
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            rest.append(line)
            continue
        if "resourcePreEvent" in event:
            steps.append(_step(event["resourcePreEvent"]["metadata"]))
        diagnostic = event.get("diagnosticEvent", {})
        if diagnostic.get("severity") == "error":
            told.append(diagnostic["message"].strip())
        if diagnostic.get("severity") == "warning":
            warned.append(diagnostic["message"].strip())
        if diagnostic and diagnostic["severity"] != "debug":
            rest.append(diagnostic["message"])
    return Run(code, tuple(steps), tuple(told), tuple(warned), "".join(rest))


def _step(metadata: Mapping[str, Any]) -> Step:
    detailed = metadata.get("detailedDiff") or {}
    forced = frozenset(path for path, one in detailed.items() if one["diffKind"].endswith("-replace"))
    new = metadata.get("new") or {}
    return Step(metadata["op"], metadata["urn"], frozenset(detailed), forced, new.get("inputs") or {})
