"""What wedges fleet, or is silently dropped by it, is refused before it is sent."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals, refuse

FINE = "[Service]\nExecStart=/bin/true\n"


def with_x_fleet(*lines: str) -> str:
    """A fine service with these [X-Fleet] lines."""
    return FINE + "[X-Fleet]\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("app@.service", "template"),
        ("a" * 248 + ".service", "256 bytes"),
        ("a b.service", "only letters"),
        ("ü.service", "only letters"),
        ("app.target", "must end in"),
        ("app.snapshot", "must end in"),
        ("app", "must end in"),
        (".service", "no service before"),
        ("@1.service", "no service before"),
        ("_app@1.service", "hides it in etcd"),
    ],
)
def test_a_name_that_fleet_mishandles_is_refused(name: str, why: str) -> None:
    """Templates stop an agent; long names and odd types are never reported or unloaded."""
    assert [text for text in refusals(name, UnitFile.parse(FINE)) if why in text]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app@1.service", FINE),
        ("a" * 247 + ".service", FINE),
        ("app.timer", "[Timer]\nOnCalendar=daily\n"),
        ("app.socket", "[Socket]\nListenStream=80\n"),
        ("app.path", "[Path]\nPathExists=/x\n"),
        ("a.service", "# comment\n [Service] \nExecStart = /bin/true\n"),
        ("a.service", FINE + "[Unit]\nDescription=x\n[Service]\nRestart=no\n"),
        ("a.service", "[Service]\nX=" + "x" * 2045 + "\nExecStart=/bin/true\n"),
        ("a.service", "[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=/bin/false\n"),
        ("a.service", with_x_fleet("MachineID=x", "MachineMetadata=a=b")),
        ("a.service", with_x_fleet("Global=true", "Conflicts=b@* c@*")),
        ("a.service", with_x_fleet("Global=false", "MachineID=x")),
        ("a.service", with_x_fleet('MachineMetadata="a=b" "c=d"', "X-Conflicts=b@*")),
        ("a.service", with_x_fleet("MachineOf=b@1.service", "Conflicts=a@*.service")),
    ],
)
def test_what_fleet_runs_well_is_let_through(name: str, text: str) -> None:
    """A refusal of a good unit would be a defect too."""
    assert refusals(name, UnitFile.parse(text)) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[Service]\nX=" + "x" * 2046 + "\nExecStart=/bin/true\n", "2048 bytes"),
        ("[Service]\nX=" + "é" * 1024 + "\nExecStart=/bin/true\n", "2050 bytes"),
        ("[Service]\nRestart=always\n", "no ExecStart"),
        ("[Service]\nExecStart=/bin/true\nExecStart=\n", "no ExecStart"),
        ("[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n", "2 ExecStart lines"),
        ("[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/a\n", "Type=oneshot"),
        ("[Unit]\nDescription=x\n", r"requires a [Service] section"),
        ("", r"requires a [Service] section"),
        ("[service]\nExecStart=/bin/a\n", "write [Service]"),
        ("[ Service ]\nExecStart=/bin/a\n", "write [Service]"),
        (FINE + "[x-fleet]\nGlobal=true\n", "write [X-Fleet]"),
        (FINE + "=x\n", "without a name before the '='"),
        (FINE + "X=y\\", "X ends in a backslash"),
        ("[Service]\nX=y\\ \t\nExecStart=/bin/true\n", "X ends in a backslash"),
        (with_x_fleet("MachineID=x", "MachineOf=b.service"), "MachineID and MachineOf"),
        (with_x_fleet("MachineID=x", "Conflicts=b@*"), "MachineID and Conflicts"),
        (with_x_fleet("MachineID=x", "Global=yes"), "MachineID and Global"),
        (with_x_fleet("MachineID=x", "Replaces=b@*"), "MachineID and Replaces"),
        (with_x_fleet("X-ConditionMachineID=x", "Global=1"), "MachineID and Global"),
        (with_x_fleet("Global=true", "MachineOf=b.service"), "Global and MachineOf"),
        (with_x_fleet("Global=on", "Replaces=b@*"), "Global and Replaces"),
        (with_x_fleet("Conflicts=a@*", "Replaces=b@*"), "Conflicts and Replaces"),
        (with_x_fleet("MachineOf=b@1.service", "Conflicts=c@* b@*"), "Conflicts=b@* matches MachineOf="),
        (with_x_fleet("MachineOf=b@1.service", "Replaces=b@[^2].service"), "Replaces=b@[^2].service matches"),
        (with_x_fleet("MachineIDs=x"), "MachineIDs is not known"),
        (with_x_fleet("machineid=x"), "write MachineID"),
        (with_x_fleet("MachineMetadata=ssd"), "one '='"),
        (with_x_fleet("MachineMetadata=a=b=c"), "one '='"),
        (with_x_fleet("MachineMetadata==b"), "one '='"),
        (with_x_fleet('MachineMetadata="a=b" "c"'), "MachineMetadata=c"),
        (with_x_fleet("Conflicts=a@* \\", "  b@*"), "several lines"),
    ],
)
def test_a_text_that_fleet_chokes_on_or_drops_is_refused(text: str, why: str) -> None:
    """Each is a way in which fleet was seen to fail, or to ignore what was written."""
    assert [found for found in refusals("a.service", UnitFile.parse(text)) if why in found]


def test_all_reasons_are_told_at_once() -> None:
    """The error lists the name's and the text's reasons together."""
    with pytest.raises(UnitRefused) as caught:
        refuse("app@.service", UnitFile.parse("[Unit]\nDescription=x\n"))
    assert len(caught.value.problems) == 2


def test_a_fine_unit_passes() -> None:
    """Nothing is raised."""
    refuse("app@1.service", UnitFile.parse(FINE))
