"""Registered instances whose alive checks fail, and whether they are most of their service. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleetcaptain.discovery.documents import Registration

__all__ = ["FailingService", "failing_services"]


@dataclass(frozen=True)
class FailingService:
    """A *service* some of whose *registered* instances fail their alive checks: *instances*, by unit."""

    service: str
    instances: tuple[Registration, ...]
    registered: int

    @property
    def most(self) -> bool:
        """Whether most of its instances fail, so that the machine agent restarts none: two or more, and more than half
        of those that are registered. ``restart`` in ``fleetcaptain/agent/alive.sh`` decides by the same rule, and
        also counts those that it has restarted as failing."""
        return len(self.instances) > max(1, self.registered // 2)

    @property
    def explanation(self) -> str:
        """Why none of its instances is restarted; "" unless most of them fail."""
        if not self.most:
            return ""
        failing = f"{len(self.instances)} of {self.registered} instances fail"
        return f"{failing}: something that they need may be down, so none is restarted"


def failing_services(registrations: Iterable[Registration]) -> tuple[FailingService, ...]:
    """The services of which at least one of *registrations* fails its alive check, by name."""
    by_service: dict[str, list[Registration]] = {}
    for entry in registrations:
        by_service.setdefault(entry.service, []).append(entry)
    found = []
    for service, entries in sorted(by_service.items()):
        failing = sorted((entry for entry in entries if entry.failing), key=lambda entry: entry.unit)
        if failing:
            found.append(FailingService(service, tuple(failing), len(entries)))
    return tuple(found)
