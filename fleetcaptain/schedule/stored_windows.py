"""Reads from etcd what the machine agents know and did of windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import (
    window_event_key,
    window_events_dir,
    window_plan_key,
    window_state_key,
    windows_dir,
)
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import WindowPlan
from fleetcaptain.untrusted import Ignored, Unreadable, read_all

__all__ = ["ServiceWindows", "read_windows", "windows_in"]


@dataclass(frozen=True)
class ServiceWindows:
    """The *plan* of a service's windows, None if it has none; its *state*: the last event; and the *events* of the last
    two days, as far as they were read, the oldest first, the state among them."""

    plan: WindowPlan | None = None
    state: WindowEvent | None = None
    events: tuple[WindowEvent, ...] = ()

    @property
    def running(self) -> int:
        """How many instances run: as many as were set last, or the usual number."""
        if self.state is not None:
            return self.state.after
        return self.plan.base if self.plan is not None else 0


def read_windows(store: EtcdStore, app: str) -> tuple[dict[str, ServiceWindows], tuple[Ignored, ...]]:
    """Service -> its windows, for each service of *app* with a plan, a state or events; and the invalid values."""
    nodes = (node for folder in (windows_dir(app), window_events_dir(app)) for node in store.below(folder))
    return windows_in(((node.key, node.value) for node in nodes), app)


def windows_in(values: Iterable[tuple[str, str]], app: str) -> tuple[dict[str, ServiceWindows], tuple[Ignored, ...]]:
    """As `read_windows`, from *values*, each with its key."""

    def parsed(key: str, text: str) -> tuple[str, WindowPlan | WindowEvent, bool]:
        service, name = key.split("/")[-2:]
        if key == window_plan_key(app, service):
            return service, WindowPlan.from_text(text), False
        event = WindowEvent.from_text(text)
        if key not in (window_state_key(app, service), window_event_key(app, service, event.at)):
            raise Unreadable("its key is not that of a plan, a state or an event of a window")
        return service, event, name == "state"

    found: dict[str, ServiceWindows] = {}
    parts, ignored = read_all(parsed, values)
    for service, part, is_state in parts:
        known = found.get(service, ServiceWindows())
        if isinstance(part, WindowPlan):
            found[service] = replace(known, plan=part)
        else:
            events = {event.at: event for event in (*known.events, part)}
            ordered = tuple(events[at] for at in sorted(events))
            found[service] = replace(known, state=part if is_state else known.state, events=ordered)
    return found, ignored
