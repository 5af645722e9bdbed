"""Finds a machine by what operators call it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.errors import NotAvailable
from fleetcaptain.fleet.entities import Machine

__all__ = ["machine_named"]


def machine_named(text: str, machines: Iterable[Machine]) -> Machine:
    """The machine with the name (its metadata ``name``), the address or the beginning of the id *text*.

    Raises NotAvailable, with a list of the machines, when there is none or several.
    """
    known = sorted(machines, key=lambda machine: (machine.metadata.get("name", ""), machine.ip))
    exact = [machine for machine in known if text in (machine.metadata.get("name"), machine.ip, machine.id)]
    found = exact or [machine for machine in known if text and machine.id.startswith(text)]
    if len(found) == 1:
        return found[0]
    why = f"{len(found)} machines match" if found else "the cluster has no such machine"
    listed = "".join(f"\n  {_shown(machine)}" for machine in known)
    raise NotAvailable(f"Cannot choose the machine {text!r}: {why}. Name one of these:{listed or ' none'}")


def _shown(machine: Machine) -> str:
    return f"{machine.metadata.get('name', '-')}  {machine.ip or '-'}  {machine.id}"
