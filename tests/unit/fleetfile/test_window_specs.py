"""The windows of a service: what they resolve to, and every mistake in them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fleetcaptain.fleetfile import window_specs
from fleetcaptain.fleetfile.values import ServiceSpec, Window
from fleetcaptain.fleetfile.window_specs import resolve_windows
from fleetcaptain.schedule.window import MOST_DATES, WindowSpec
from fleetcaptain.untrusted import Unreadable
from tests.unit.fleetfile.written import app, mistakes, service

TIMES = 'ready_by="03:30", until="04:30"'


def scaled(folder: Path, arguments: str) -> WindowSpec:
    """The window ``peak`` with these *arguments*, of a service with four instances."""
    (found,) = service(folder, f'instances=4, scale=[Window("peak", 12, {TIMES}, {arguments})]').scale
    return found


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    """Twelve instances from half past three in Chicago, on working days."""
    assert scaled(tmp_path, 'days="Mon-Fri", timezone="America/Chicago"') == WindowSpec(
        "peak", 12, 210, 270, (0, 1, 2, 3, 4), (), "America/Chicago"
    )


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("None", (0, 1, 2, 3, 4, 5, 6)),
        ('"Mon-Sun"', (0, 1, 2, 3, 4, 5, 6)),
        ('"Sat,Sun"', (5, 6)),
        ('"Sat-Mon"', (0, 5, 6)),
        ('"Wed"', (2,)),
        ('"Fri-Fri"', (4,)),
        ('["Wed", "Mon"]', (0, 2)),
        ('("Mon-Tue, Sat", "Sat")', (0, 1, 5)),
    ],
)
def test_days(tmp_path: Path, days: str, found: tuple[int, ...]) -> None:
    """One string or several, each with days and ranges."""
    assert scaled(tmp_path, f"days={days}").days == found


def test_dates(tmp_path: Path) -> None:
    """Instead of days; in their order."""
    found = scaled(tmp_path, 'dates=["2028-02-29", "2026-12-24"], machines=2')
    assert (found.days, found.dates, found.machines) == ((), (date(2026, 12, 24), date(2028, 2, 29)), 2)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (f'"Peak", 12, {TIMES}', "Window('Peak'): the name must have lower case letters"),
        (f"5, 12, {TIMES}", "Window(5): the name must have lower case letters"),
        (f'"peak", 4, {TIMES}', "Window('peak', at_least=4): must be more than the number of instances (4)"),
        (f'"peak", 101, {TIMES}', "Window('peak', at_least=101): must be an integer from 1 to 100"),
        (f'"peak", True, {TIMES}', "at_least=True): must be an integer"),
        ('"peak", 12, "3:30", "04:30"', "Window('peak', ready_by='3:30'): must be a time from \"00:00\" to \"23:59\""),
        ('"peak", 12, "24:00", "04:30"', "ready_by='24:00'): must be a time"),
        ('"peak", 12, 330, "04:30"', "ready_by=330): must be a time"),
        ('"peak", 12, "03:30", "24:01"', 'until=\'24:01\'): must be a time from "00:00" to "24:00"'),
        ('"peak", 12, "03:30", "03:30"', "until='03:30'): must not be the same as ready_by; for a whole day"),
        (f'"peak", 12, {TIMES}, days="thursday"', "days='thursday'): 'thursday' is not one of Mon, Tue, Wed"),
        (f'"peak", 12, {TIMES}, days="thursday"', 'Sun; did you mean "Thu"?'),
        (f'"peak", 12, {TIMES}, days="Mon..Fri"', "'Mon..Fri': a range of days has one dash; write \"Mon-Fri\""),
        (f'"peak", 12, {TIMES}, days="Mon-"', "'' is not one of Mon"),
        (f'"peak", 12, {TIMES}, days=0', "days=0): must be a list of strings"),
        (f'"peak", 12, {TIMES}, days=[0]', "days=[0]): must be a list of strings"),
        (f'"peak", 12, {TIMES}, dates="2026-12-24"', 'must be a list of dates, such as ["2026-12-24"]'),
        (f'"peak", 12, {TIMES}, dates=[]', "dates=[]): must not be empty; leave it out for every day"),
        (f'"peak", 12, {TIMES}, dates=["2026-02-29"]', "'2026-02-29' is not a date from 2000 to 2999 that exists"),
        (f'"peak", 12, {TIMES}, dates=["20261224"]', "'20261224' is not a date"),
        (f'"peak", 12, {TIMES}, dates=["1999-12-24"]', "'1999-12-24' is not a date"),
        (f'"peak", 12, {TIMES}, days="Mon", dates=["2026-12-24"]', "Window('peak'): cannot have both days and dates"),
        (
            f'"peak", 12, {TIMES}, timezone="America/Chikago"',
            "timezone='America/Chikago'): is not a time zone; did you mean \"America/Chicago\"?",
        ),
        (f'"peak", 12, {TIMES}, timezone="localtime"', "timezone='localtime'): is not a time zone"),
        (f'"peak", 12, {TIMES}, timezone=None', "timezone=None): must be the name of a time zone"),
        (f'"peak", 12, {TIMES}, machines=-1', "machines=-1): must be an integer from 1 to 100"),
        (f'"peak", 12, {TIMES}, machines=True', "machines=True): must be an integer from 1 to 100"),
        (f'"peak", 12, {TIMES}), Window("peak", 13, {TIMES}', "another window of the service has the same name"),
    ],
)
def test_a_mistake_in_a_window_is_reported(tmp_path: Path, window: str, message: str) -> None:
    """With the window and the value."""
    problems = mistakes(tmp_path, f'Service("web", instances=4,\n scale=[Window({window})])')
    assert [problem for problem in problems if message in problem], problems
    assert all(problem.startswith("Fleetfile.py:4: service 'web': scale: Window(") for problem in problems)


def test_all_mistakes_are_in_one_report(tmp_path: Path) -> None:
    """Of all windows, each once."""
    problems = mistakes(
        tmp_path,
        'Service("web", instances=0, scale=[Window("a", 0, "x", "x", days="Mo", timezone="x", machines=1.5),'
        f'Window("b", 3, {TIMES}, dates=[1]), Window("c", 3, {TIMES}), Window("c", 3, {TIMES})])',
    )
    shown = [problem.split(": ", 3)[3].partition(")")[0] for problem in problems]
    assert shown == [
        "must be an integer from 1 to 100, or True for a single instance that is replaced blue/green, not 0",
        "Window('a', at_least=0",
        "Window('a', ready_by='x'",
        "Window('a', until='x'",
        "Window('a', days='Mo'",
        "Window('a', timezone='x'",
        "Window('a', machines=1.5",
        "Window('b', dates=[1]",
        "Window('c'",
    ]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ("instances=True", "a service that is replaced blue/green cannot have windows; write Rolling()"),
        ("instances=2, rollout=BlueGreen()", "a service that is replaced blue/green cannot have windows"),
        ("global_unit=True", "a service with a unit on every machine cannot have windows; remove it"),
        ('service={"Type": "oneshot"}', "a task (Type=oneshot) cannot have windows: it ends; remove it"),
    ],
)
def test_only_services_that_roll_have_windows(tmp_path: Path, keywords: str, message: str) -> None:
    """The instances of others have no fixed numbers."""
    (problem,) = mistakes(tmp_path, f'Service("web", {keywords}, scale=[Window("peak", 12, {TIMES})])')
    assert f"scale: {message}" in problem


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ("None", "must be a list of Window(...), not None; for a fixed number write instances="),
        ('["peak"]', "each entry must be a Window(...), not 'peak'"),
        (f'[Window(f"peak{{n}}", 12, {TIMES}) for n in range(11)]', "can have at most 10 windows, not 11; merge some"),
        (f'[Window("peak", 12, {TIMES}, dates=[f"{{y}}-01-01" for y in range(2000, 2101)])]', "at most 100 dates"),
    ],
)
def test_what_is_no_list_of_windows_is_reported(tmp_path: Path, scale: str, message: str) -> None:
    """Limits keep the plan that machine agents read small."""
    assert MOST_DATES == 100
    (problem,) = mistakes(tmp_path, f'Service("web", scale={scale})')
    assert problem.startswith("Fleetfile.py:3: service 'web': scale: ")
    assert message in problem


def test_instances_of_windows_are_units_that_rules_can_name(tmp_path: Path) -> None:
    """The cluster has them at all times; but a service with more than one has no single machine."""
    scale = f'scale=[Window("peak", 3, {TIMES})]'
    db = 'Service("db", instances=2)'
    (problem,) = mistakes(tmp_path, f'{db}, Service("web", instances=2, machine_of="db@%i.service", {scale})')
    assert "no unit has the name db@3.service" in problem
    app(tmp_path, f'Service("db", {scale}), Service("web", instances=3, machine_of="db@%i.service")')
    (problem,) = mistakes(tmp_path, f'Service("db", {scale}), Service("web", machine_of="db")')
    assert "'db' must have one instance with a fixed name" in problem


def test_without_any_data_of_time_zones_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """UTC needs none."""

    def unknown(name: str) -> None:
        raise Unreadable(name)

    monkeypatch.setattr(window_specs, "time_zone", unknown)
    monkeypatch.setattr(window_specs, "known_time_zones", list)
    found: list[str] = []
    resolve_windows([Window("peak", 12, "03:30", "04:30", timezone="Europe/London")], 1, found.append)
    assert found == [
        "Window('peak', timezone='Europe/London'): this computer has no data of time zones; install it with "
        "`pip install tzdata`"
    ]


def test_strings_of_other_classes_are_read_as_plain_ones(tmp_path: Path) -> None:
    """As everywhere in a Fleetfile, such as the members of an enumeration."""
    kind = 'type("Zone", (str,), {"__eq__": lambda *_: 1 / 0, "__hash__": str.__hash__})("Europe/London")'
    found: ServiceSpec = service(tmp_path, f'scale=[Window("peak", 12, {TIMES}, timezone={kind})]')
    assert type(found.scale[0].timezone) is str
