"""What the resources of a deployment announce together, so that a preview says each thing once."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Announcements"]


@dataclass
class Announcements:
    """Collected by the operations of one run of the engine: *lines*, and *warnings*, text -> the names that it is
    about. *is_preview*: nothing was changed in this run, so the announcements are still ahead."""

    lines: list[str] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    is_preview: bool = True

    def take(self) -> tuple[str, tuple[str, ...]]:
        """The lines as one message, and one message for each warning, which are then no longer collected. Nothing in a
        run that changed something: its preview has them."""
        lines, warnings = sorted(self.lines), sorted(self.warnings.items())
        self.lines, self.warnings = [], {}
        if not self.is_preview:
            return "", ()
        return "\n".join(lines), tuple(f"{', '.join(sorted(names))}: {text}" for text, names in warnings)
