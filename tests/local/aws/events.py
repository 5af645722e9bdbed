"""What the engine tells of a run, line by line, as values to assert on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

__all__ = ["Run", "Step", "read"]

_SILENT = frozenset({"same", "refresh", "read"})


@dataclass(frozen=True)
class Step:
    """One step of the engine: *op* (``create``, ``update``, ``create-replacement``...), on what, and why.

    *changed*: paths of the inputs that differ. *forced*: those of them that replace. *inputs*: as they are after it.
    *began* and *ended* count the engine's events.
    """

    op: str
    urn: str
    changed: frozenset[str]
    forced: frozenset[str]
    inputs: Mapping[str, Any]
    began: int
    ended: int

    @property
    def what(self) -> str:
        """The short name of its type, and its own: ``Instance cluster-m1``."""
        return f"{self.token.rpartition(':')[2]} {self.urn.rpartition('::')[2]}"

    @property
    def token(self) -> str:
        """Its type: ``aws:ec2/instance:Instance``."""
        return self.urn.split("::")[2].rpartition("$")[2]


@dataclass(frozen=True)
class Run:
    """A run of ``pulumi``: its exit *code*, its *steps* in the order in which they began, what it complained about, and
    all that it said, for a failure's message. *preview*: the run that previewed it, of an update."""

    code: int
    steps: tuple[Step, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    output: str = field(repr=False)
    preview: Run | None = None

    def did(self, *ops: str) -> list[str]:
        """What the steps with *ops* were about, sorted; steps that touch nothing are left out when there are none."""
        return sorted(step.what for step in self.steps if (step.op in ops if ops else step.op not in _SILENT))

    def step(self, what: str, *ops: str) -> Step:
        """The only step about *what*, of those with *ops* when given."""
        found = [step for step in self.steps if step.what == what and (step.op in ops or not ops)]
        assert len(found) == 1, f"{len(found)} steps are about {what!r}; there are {self.did(*ops)}"
        return found[0]

    def in_order(self, *whats: str, op: str = "create") -> bool:
        """Whether each of *whats* began only after the one before it had ended."""
        steps = [self.step(what, op) for what in whats]
        return all(first.ended < second.began for first, second in pairwise(steps))


def read(code: int, lines: Iterable[str], errors: str) -> Run:
    """The run whose events are *lines*; *errors* is what it wrote on its standard error."""
    events, rest = [], [errors]
    for line in lines:
        try:
            events.append(json.loads(line))
        except ValueError:
            rest.append(line)
    diagnostics = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    rest += [one["message"] for one in diagnostics if one["severity"] != "debug"]
    by_severity = {
        severity: tuple(
            one["message"].strip() for one in diagnostics if one["severity"] == severity and not _is_noise(one)
        )
        for severity in ("error", "warning")
    }
    return Run(code, tuple(_steps(events)), by_severity["error"], by_severity["warning"], "".join(rest))


def _is_noise(diagnostic: Mapping[str, Any]) -> bool:
    """What the engine says of a plugin that it still starts when the program has ended with an error."""
    return "exited prematurely" in diagnostic["message"]


def _steps(events: list[dict[str, Any]]) -> Iterable[Step]:
    ended: dict[tuple[str, str], int] = {}
    for number, event in enumerate(events):
        if "resOutputsEvent" in event:
            about = event["resOutputsEvent"]["metadata"]
            # A component tells of its outputs again when its program is through with it; it was there before.
            ended.setdefault((about["op"], about["urn"]), number)
    for number, event in enumerate(events):
        if "resourcePreEvent" in event:
            about = event["resourcePreEvent"]["metadata"]
            yield _step(about, number, ended.get((about["op"], about["urn"]), len(events)))


def _step(about: Mapping[str, Any], began: int, ended: int) -> Step:
    detailed = about.get("detailedDiff") or {}
    forced = frozenset(path for path, one in detailed.items() if one["diffKind"].endswith("-replace"))
    inputs = (about.get("new") or {}).get("inputs") or {}
    return Step(about["op"], about["urn"], frozenset(detailed), forced, inputs, began, ended)
