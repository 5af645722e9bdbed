"""Releases that do not work: the first instance shows it, is taken back, and the rest was never touched."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from fleetcaptain.fleet.entities import UnitEntity
from fleetcaptain.printable import unprintable
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import machines, run_on

_SERVER = "behavioral/server.py"
_BAKE = "Rolling(min_healthy_sec=2)"
# What Pulumi itself sends without a terminal of its own.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _servers(units: Mapping[str, UnitEntity]) -> dict[str, str]:
    """Unit -> content, of the service that is broken; the workers take the new image without harm."""
    return {name: unit.unit_hash for name, unit in units.items() if name.startswith("app_server@")}


def _contents(stack: Stack) -> dict[str, str]:
    return _servers(stack.cluster().snapshot().units)


@pytest.mark.parametrize(
    ("change", "rollout", "told"),
    [
        (
            {"    print(GREETING)": "    threading.Timer(5, os._exit, [8]).start()"},
            "Rolling(min_healthy_sec=15)",
            ["does not stay up"],
        ),
        (
            {'return 200, {"ok": True}': 'return 503, {"ok": False}'},
            "Rolling(min_healthy_sec=2, healthy_deadline_sec=15)",
            ["not healthy within 15 s", "waiting for GET /health"],
        ),
    ],
    ids=["exits after 5 s", "never ready"],
)
def test_a_bad_image_costs_one_instance(stack: Stack, change: dict[str, str], rollout: str, told: list[str]) -> None:
    """The error names unit, machine, what systemd says and the journal; every instance has its old text, and the next
    ``up`` has nothing to do."""
    before = _contents(stack)
    cluster = stack.cluster()
    with (
        stack.edited(_SERVER, change),
        stack.edited("Fleetfile.py", {_BAKE: rollout}),
        recorded(cluster, "app_server") as history,
    ):
        result = stack.fails()
    for words in ["app_server@", " on 10.", "its last journal lines", "were rolled back to their old text", *told]:
        assert words in result.error, result.output
    assert _contents(stack) == before
    assert history.least >= 3
    unit_hashes = [_servers(look.units) for look in history.looks]
    touched = {name for seen in unit_hashes for name in seen if seen[name] != before.get(name)}
    assert len(touched) == 1
    stack.up()
    stack.rests()


def test_an_image_that_exits_at_once_is_taken_back_and_its_log_is_shown_harmlessly(stack: Stack) -> None:
    """A template's marks, which Pulumi would take for colours and panic at; the clipboard, colours and bidi marks. With
    colours on, the error is whole and has nothing raw in it."""
    before = _contents(stack)
    line = r"<{% if a %}div{% endif %}> \x1b]52;c;cm0=\x07 \x9b41m \u202e End"
    crash = f'    print("{line}", flush=True); raise SystemExit(7)'
    with stack.edited(_SERVER, {"    print(GREETING)": crash}):
        result = stack.fails("up", "--yes", "--color", "always")
    assert "panic" not in result.output
    for words in [line.replace("<{%", "<{ %"), "does not stay up", "exit code 7", "rolled back to their old text"]:
        assert words in result.error, result.output
    assert unprintable(_COLOUR.sub("", result.output)) == ()
    assert _contents(stack) == before
    stack.up()
    stack.rests()


def test_an_image_that_ignores_sigterm_is_only_slow(stack: Stack) -> None:
    """systemd kills it after ``stop_sec``; that is no failure."""
    ignored = {
        "signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())": (
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        )
    }
    with stack.edited(_SERVER, ignored):
        stack.up()
    with recorded(stack.cluster(), "app_server") as history:
        stack.up()
    assert history.least >= 3
    stack.rests()


def test_a_registry_that_vanishes_stops_the_update_before_anything_stops(stack: Stack) -> None:
    """The image was pushed, and the machines cannot fetch it: nothing is touched, and the next ``up`` works."""
    before = _contents(stack)
    for machine in machines(stack).values():
        run_on(machine, "systemctl", "stop", "registry.socket", "registry.service")
    with recorded(stack.cluster(), "app_server") as history, stack.edited(_SERVER, {"says hello": "says good evening"}):
        try:
            result = stack.fails()
        finally:
            for machine in machines(stack).values():
                run_on(machine, "systemctl", "start", "registry.socket")
        assert re.search(r"Failed to pull \S+ on 10\.", result.error)
        assert "Nothing was changed" in result.error
        assert _contents(stack) == before
        assert history.least == 4
        stack.up()
    stack.up()
