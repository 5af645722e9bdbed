"""Which units systemd stops with another one."""

from __future__ import annotations

import pytest

from fleetcaptain.units.binding import bound_to, expanded
from fleetcaptain.units.unit_text import Option, parse


def units(**lines: str) -> list[tuple[str, tuple[Option, ...]]]:
    """Units with one line of [Unit] each; ``side_1`` is ``side@1.service``."""
    return [(f"{name.replace('_', '@')}.service", parse(f"[Unit]\n{line}\n")) for name, line in lines.items()]


def names(name: str, **lines: str) -> tuple[str, ...]:
    """The units that are stopped with *name*."""
    return tuple(found for found, _ in bound_to(name, units(**lines)))


@pytest.mark.parametrize(
    "line",
    [
        "BindsTo=web@1.service",
        "BindTo=web@%i.service",
        "Requires=docker.service web@%i.service\\\n  redis@1.service",
        "Requisite='web@%i.service'",
        "PartOf=web@1.service",
        "StopPropagatedFrom=web@1.service",
        "RequiresOverridable=web@%I.service",
    ],
)
def test_a_unit_stops_with_what_it_is_bound_to(line: str) -> None:
    """By each option of systemd that says so, and with the instance that it means only."""
    assert names("web@1.service", side_1=line) == ("side@1.service",)
    assert names("web@2.service", side_1=line) == ()


@pytest.mark.parametrize(
    "line", ["Wants=web@1.service", "After=web@1.service", "Before=web@1.service", "Upholds=web@1.service"]
)
def test_other_options_do_not_bind(line: str) -> None:
    """They start or order units, and stop none."""
    assert names("web@1.service", side_1=line) == ()


def test_options_of_other_sections_do_not_bind() -> None:
    """systemd reads them nowhere else."""
    assert bound_to("a.service", [("b.service", parse("[X-Fleet]\nBindsTo=a.service\n"))]) == ()


def test_a_unit_may_say_what_stops_with_it() -> None:
    """The same from the other side."""
    lines = {"web_1": "PropagatesStopTo=side@%i.service log.service", "side_1": "After=x.service"}
    assert names("web@1.service", **lines) == ("log.service", "side@1.service")


def test_what_is_bound_to_a_bound_unit_stops_too() -> None:
    """Each comes after the one that it is bound to; a circle ends."""
    found = bound_to("a.service", units(c="PartOf=b.service", b="BindsTo=a.service", a="Requires=c.service"))
    assert found == (("b.service", "a.service"), ("c.service", "b.service"))


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        ("%p@%i.service", "web@1.service", "web@1.service"),
        ("%n %N", "web@1.service", "web@1.service web@1"),
        ("%j-%i", "my-app@a-b.service", "app-a-b"),
        ("x%%i@%H", "web@1.service", "x%i@%H"),
        ("web@%i.service", "side.service", "web@.service"),
    ],
)
def test_specifiers_are_those_of_the_units_own_name(value: str, name: str, expected: str) -> None:
    """What only the machine knows stays."""
    assert expanded(value, name) == expected
