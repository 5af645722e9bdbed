"""A change to deploy, that the next test takes back: none has to bring the cluster to where it began."""

from __future__ import annotations

from tests.e2e.stack import Stack

__all__ = ["Change"]


class Change:
    """Another value of one line of app_server: `edits` for the Fleetfile, and `line`, that of its units."""

    def __init__(self, stack: Stack) -> None:
        now, then = (5, 6) if "restart_sec=5," in (stack.app / "Fleetfile.py").read_text() else (6, 5)
        self.edits = {f"restart_sec={now},": f"restart_sec={then},"}
        self.line = f"RestartSec={then}\n"

    def everywhere(self, stack: Stack) -> bool:
        """Whether all instances of app_server have it."""
        units = stack.cluster().snapshot().units
        return all(self.line in unit.text for name, unit in units.items() if name.startswith("app_server@"))
