"""The first preview of the example in the real Pulumi: each service on one screen."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping
from math import ceil
from pathlib import Path

import pytest

from fleetcaptain.fleetfile import load
from tests.local.terminal.first_deployment import EXAMPLE
from tests.local.terminal.session import Session

PAGE = Path(__file__).resolve().parents[3] / "docs" / "fleetfile.md"
MARK = "<!-- written by `UPDATE_GOLDEN=1 make test-local` -->\n"
SCREEN_LINES, SCREEN_COLUMNS = 50, 120


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A stack without anything in it."""
    return Session.make(tmp_path_factory.mktemp("first"), "tests.local.terminal.first_deployment")


def shown(session: Session, *options: str) -> Mapping[str, str]:
    """Service -> all that the preview shows of it."""
    screen = session.pulumi("preview", "--diff", "--non-interactive", *options)
    assert screen.code == 0, screen.text
    lines = screen.text.replace("::hostile::", "::fleetcaptain::").splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r" *\+ pulumi-python:dynamic/fleet:Unit: ", line)]
    ends = [*starts[1:], next(number for number, line in enumerate(lines) if "Resources:" in line)]
    parts = [lines[start:end] for start, end in zip(starts, ends, strict=True)]
    return {re.findall(r"::(\w+)\]", part[1])[0]: textwrap.dedent("\n".join(part)).rstrip() + "\n" for part in parts}


@pytest.mark.parametrize("options", [(), ("--show-full-output",)])
def test_each_service_fits_on_one_screen(session: Session, options: tuple[str, ...]) -> None:
    """Once, however many instances it has; also with the whole text of its unit."""
    found = shown(session, *options)
    assert sorted(found) == sorted(service.name for service in load(EXAMPLE).services)
    for service, text in found.items():
        lines = [ceil(len(line) / SCREEN_COLUMNS) or 1 for line in text.splitlines()]
        assert sum(lines) <= SCREEN_LINES, f"{service}:\n{text}"
    assert ("ExecStop=" in found["app_server"]) is bool(options)


def test_the_page_shows_what_pulumi_prints(session: Session) -> None:
    """``UPDATE_GOLDEN=1`` writes it."""
    example = f"```\n{shown(session)['app_server']}```\n"
    before, _, after = PAGE.read_text().split(MARK)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGE.write_text(f"{before}{MARK}{example}{MARK}{after}")
    assert PAGE.read_text().split(MARK)[1] == example
