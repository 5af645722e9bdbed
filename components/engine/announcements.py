"""What the resources of a deployment announce together, so that a preview says each thing once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.engine import diagnostics

__all__ = ["ANNOUNCED", "Announcements", "show_announcements"]

ANNOUNCED = "pulumi-python:dynamic/fleet:announced"
"""The function of the providers' host that takes what their operations collected."""


@dataclass
class Announcements:
    """Collected by the operations of one run of the engine: *lines*, and *warnings*, text -> the names that it is
    about."""

    lines: list[str] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)

    def take(self) -> dict[str, Any]:
        """The ``lines`` as one message, and one message for each of the ``warnings``, which are then no longer
        collected."""
        lines, warnings = sorted(self.lines), sorted(self.warnings.items())
        self.lines, self.warnings = [], {}
        return {
            "lines": "\n".join(lines),
            "warnings": [f"{', '.join(sorted(names))}: {text}" for text, names in warnings],
        }


def show_announcements(last: pulumi.Output[Any]) -> None:
    """In a preview, show once *last* is known or unknown what the operations before announced, whether or not the
    engine compares the resource of *last* itself: with ``--target`` it may not. An update has its preview's."""
    if pulumi.runtime.is_dry_run():
        last.apply(_show, run_with_unknowns=True)


def _show(_last: Any) -> None:
    found: Mapping[str, Any] = pulumi.runtime.invoke(ANNOUNCED, {}).value
    if found["lines"]:
        diagnostics.info(found["lines"])
    for warning in found["warnings"]:
        diagnostics.warn(warning)
