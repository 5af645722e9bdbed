"""What etcd has of the windows of an app's services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleetcaptain.discovery.keys import windows_dir
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import WindowPlan
from fleetcaptain.untrusted import readable

__all__ = ["ServiceWindows", "windows_in"]


@dataclass(frozen=True)
class ServiceWindows:
    """The *plan* that the machine agents follow for a service, and the last change of its instances, its *state*."""

    plan: WindowPlan
    state: WindowEvent | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The units that only its windows need."""
        numbers = range(self.plan.base + 1, self.plan.most + 1)
        return tuple(self.plan.unit.replace("%", str(number)) for number in numbers)


def windows_in(app: str, values: Iterable[tuple[str, str]]) -> dict[str, ServiceWindows]:
    """Service -> its windows, from *values* below the directory of *app*'s windows, each with its key. A service whose
    plan is missing or invalid is left out: the agents do nothing for it either."""
    below: dict[str, dict[str, str]] = {}
    for key, value in values:
        service, _, name = key.removeprefix(f"{windows_dir(app)}/").partition("/")
        below.setdefault(service, {})[name] = value
    found = {}
    for service, texts in below.items():
        plan = readable(WindowPlan.from_text, texts.get("plan", ""))
        if plan is not None:
            found[service] = ServiceWindows(plan, readable(WindowEvent.from_text, texts.get("state", "")))
    return found
