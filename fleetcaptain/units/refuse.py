"""What fleet accepts and then chokes on, or ignores without a word. A unit is sent only when nothing of it is found.

Each rule is a way in which fleet 1.0.0, or systemd below it, was seen to wedge a machine or to drop what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.names import SECTION_OF_TYPE, UNIT_CHARACTERS
from fleetcaptain.units.text import Option, parse, serialize
from fleetcaptain.units.xfleet import x_fleet_refusals

__all__ = ["refusals", "refuse"]

# fleet reports 256, and stops reporting anything when systemd turns such a name down.
_NAME_BYTES = 255
# go-systemd's limit on one physical line, its line end not counted.
_LINE_BYTES = 2048
_SECTIONS = ("Unit", *SECTION_OF_TYPE.values(), "Install", "X-Fleet", "X-FleetCaptain")


def refuse(name: str, text: str) -> None:
    """Raise `UnitRefused` with every reason in `refusals`, if there is one."""
    problems = refusals(name, text)
    if problems:
        raise UnitRefused(f"fleet would not run {name} as written:", problems)


def refusals(name: str, text: str) -> tuple[str, ...]:
    """Why fleet would choke on the unit *name* with *text*, one sentence each; empty when it would not."""
    try:
        options = parse(text)
        written = serialize(options)
    except UnitRefused as error:
        return (*_of_name(name), *error.problems)
    return (
        *_of_name(name),
        *_of_lines(options, written),
        *_of_sections(name, text, options),
        *_of_exec_start(name, options),
        *x_fleet_refusals([(one.name, one.value) for one in options if one.section == "X-Fleet"], name),
    )


def _of_name(name: str) -> Iterator[str]:
    stem, dot, kind = name.rpartition(".")
    if not dot or kind not in SECTION_OF_TYPE:
        yield f"the name {name!r} must end in .service, .timer, .socket or .path; fleet mishandles every other type"
        stem = name
    if len(name.encode()) > _NAME_BYTES:
        yield f"the name has {len(name.encode())} bytes; fleet takes at most {_NAME_BYTES}; choose a shorter one"
    odd = sorted(set(re.sub(f"[{UNIT_CHARACTERS}]", "", stem)))
    if odd:
        yield f"the name has {''.join(odd)!r}; only letters, digits and : _ . \\ @ - are allowed"
    if not stem or stem.startswith("@"):
        yield f"the name {name!r} has nothing before its type or its @; give the service a name"
    if stem.startswith("_"):
        yield f"the name {name!r} starts with '_', which hides it in etcd: fleet would never run it; drop the '_'"
    if stem.endswith("@"):
        yield f"{name} is a template, which stops the agent of its machine; name an instance, as {stem}1.{kind}"


def _of_lines(options: tuple[Option, ...], written: str) -> Iterator[str]:
    for line in written.split("\n"):
        size = len(line.encode())
        if size >= _LINE_BYTES:
            yield (
                f"the line {line[:40]!r}... has {size} bytes and no blank at which it can be continued, fleet takes at "
                f"most {_LINE_BYTES - 1}; put what is long into a file of the image or of the machines, and pass it "
                '(docker_args=["--env-file", "/etc/..."], volumes=["/etc/...:/...:ro"])'
            )
    for option in options:
        if not option.name:
            yield f"[{option.section}] has a line with nothing before the '='; write Name={option.value}"
    if serialize(parse(written)) != written:
        yield "the last value ends in a backslash, which continues into nothing; remove the backslash"


def _of_sections(name: str, text: str, options: tuple[Option, ...]) -> Iterator[str]:
    before = [line.strip() for line in text.partition("[")[0].split("\n")]
    for line in before:
        if line and not line.startswith(("#", ";")):
            yield f"the line {line!r} stands before the first section, where fleet drops it; put it below a [Section]"
    sections = dict.fromkeys(option.section for option in options)
    for section in sections:
        meant = next((known for known in _SECTIONS if known.lower() == section.strip().lower()), section)
        if meant != section:
            yield f"the section [{section}] is ignored without a word, since case and spaces count; write [{meant}]"
    needed = SECTION_OF_TYPE.get(name.rpartition(".")[2])
    if needed and needed not in sections:
        yield f"there is no [{needed}] section with an option in it, which {name} needs"


def _of_exec_start(name: str, options: tuple[Option, ...]) -> Iterator[str]:
    service = [option for option in options if option.section == "Service"]
    if not name.endswith(".service") or not service:
        return
    lines: list[str] = []
    for option in service:
        if option.name == "ExecStart":
            lines = [*lines, option.value] if option.value else []
    last = {option.name: option.value for option in service}
    oneshot = last.get("Type") == "oneshot"
    if not lines:
        yield "[Service] has no ExecStart; systemd refuses the unit, and fleet can then neither stop nor unload it"
    elif len(lines) > 1 and not oneshot:
        yield (
            f"[Service] has {len(lines)} ExecStart lines, which systemd takes with Type=oneshot only; keep one, and "
            "move the others to ExecStartPre"
        )
    if oneshot and last.get("Restart") in {"always", "on-success"}:
        yield f"[Service] Type=oneshot with Restart={last['Restart']} is refused by systemd; remove Restart="
