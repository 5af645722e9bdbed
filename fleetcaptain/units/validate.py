"""Refuses units that fleet accepts and then mishandles or partly ignores. Only units without a finding are sent.

Each rule is a case in which fleet 1.0.0, or systemd, was observed to block a machine or to drop options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.names import SECTION_OF_TYPE, UNIT_CHARACTERS
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from fleetcaptain.units.xfleet import x_fleet_refusals

__all__ = ["refusals", "refuse"]

# fleet reports 256, and stops reporting anything when systemd refuses such a name.
_NAME_BYTES = 255
# go-systemd's limit on one physical line, its line end not counted.
_LINE_BYTES = 2048
_SECTIONS = ("Unit", *SECTION_OF_TYPE.values(), "Install", "X-Fleet", "X-FleetCaptain")


def refuse(name: str, file: UnitFile) -> None:
    """Raise `UnitRefused` with all `refusals`, if there are any."""
    problems = refusals(name, file)
    if problems:
        raise UnitRefused(f"fleet cannot run {name}:", problems)


def refusals(name: str, file: UnitFile) -> tuple[str, ...]:
    """Why fleet cannot run the unit *name* with this *file*, one sentence each; empty if it can."""
    if file.unwritable:
        return (*_of_name(name), *file.unwritable)
    options = file.options
    return (
        *_of_name(name),
        *_of_lines(file),
        *_of_sections(name, options),
        *_of_exec_start(name, file),
        *x_fleet_refusals([(one.name, one.value) for one in options if one.section == "X-Fleet"], name),
    )


def _of_name(name: str) -> Iterator[str]:
    stem, dot, kind = name.rpartition(".")
    if not dot or kind not in SECTION_OF_TYPE:
        yield f"the name {name!r} must end in .service, .timer, .socket or .path; fleet mishandles every other type"
        stem = name
    if len(name.encode()) > _NAME_BYTES:
        yield f"the name has {len(name.encode())} bytes; fleet accepts at most {_NAME_BYTES}; choose a shorter one"
    odd = sorted(set(re.sub(f"[{UNIT_CHARACTERS}]", "", stem)))
    if odd:
        yield f"the name has {''.join(odd)!r}; only letters, digits and : _ . \\ @ - are allowed; remove the others"
    if not stem or stem.startswith("@"):
        yield f"the name {name!r} has no service before its type or its @; add one"
    if stem.startswith("_"):
        yield f"the name {name!r} starts with '_', which hides it in etcd, so fleet would never run it; remove the '_'"
    if stem.endswith("@"):
        yield f"{name} is a template, which stops the agent of its machine; write an instance, such as {stem}1.{kind}"


def _of_lines(file: UnitFile) -> Iterator[str]:
    for line in file.text.split("\n"):
        size = len(line.encode())
        if size >= _LINE_BYTES:
            yield (
                f"the line {line[:40]!r}... has {size} bytes and no blank at which it can be continued, but fleet "
                f"accepts at most {_LINE_BYTES - 1}; put the value into a file of the image or of the machines, and "
                f"pass it "
                '(docker_args=["--env-file", "/etc/..."], volumes=["/etc/...:/...:ro"])'
            )
    for option in file.options:
        if not option.name:
            yield f"[{option.section}] has a line without a name before the '='; write Name={option.value}"
        if option.value.endswith("\\"):
            what = "ends in a backslash, which joins it with the next line; remove the backslash"
            yield f"[{option.section}] {option.name} {what}"


def _of_sections(name: str, options: tuple[Option, ...]) -> Iterator[str]:
    sections = dict.fromkeys(option.section for option in options)
    for section in sections:
        meant = next((known for known in _SECTIONS if known.lower() == section.strip().lower()), section)
        if meant != section:
            yield f"the section [{section}] is silently ignored, because case and spaces matter; write [{meant}]"
    needed = SECTION_OF_TYPE.get(name.rpartition(".")[2])
    if needed and needed not in sections:
        yield f"{name} requires a [{needed}] section with an option; add it"


def _of_exec_start(name: str, file: UnitFile) -> Iterator[str]:
    service = [option for option in file.options if option.section == "Service"]
    if not name.endswith(".service") or not service:
        return
    lines: list[str] = []
    for option in service:
        if option.name == "ExecStart":
            lines = [*lines, option.value] if option.value else []
    if not lines:
        yield (
            "[Service] has no ExecStart; systemd refuses the unit, and fleet can then neither stop nor unload it; "
            "add one"
        )
    elif len(lines) > 1 and not file.is_task:
        yield (
            f"[Service] has {len(lines)} ExecStart lines, which systemd supports only with Type=oneshot; keep one, and "
            "move the others to ExecStartPre"
        )
    restart = file.last("Restart")
    if file.is_task and restart in {"always", "on-success"}:
        yield f"[Service] Type=oneshot with Restart={restart} is refused by systemd; remove Restart="
