"""What is left of pulumi's output where there is no terminal."""

from __future__ import annotations

import pytest

from tools.pulumi_output import Shortened

UNIT = "pulumi-python:dynamic/fleet:Unit"
OUTPUT = f"""Previewing update (dev):
@ previewing update.....

 ~  {UNIT} web refreshing
 ~  docker-build:index:Image shop refresh [diff: ~contextHash]
    pulumi:pulumi:Stack fleetcaptain-dev running
@ previewing update....
    {UNIT} db
 ~  {UNIT} web update [diff: ~image]
warning: a line that is no row
Diagnostics:
  {UNIT} (web):
    web: 2 instances, one at a time

Resources:
    ~ 1 to update
    9 unchanged

Updating (dev):
@ updating....
 ~  {UNIT} web updating (0s) [diff: ~image]
 ~  docker-build:index:Image shop updating (1s) [diff: ~buildArgs,contextHash];
 +  {UNIT} api creating
 ~  {UNIT} web updating (1s) [diff: ~image]; 1/2 healthy
 ~  {UNIT} web updated (2s) [diff: ~image]; 2/2 healthy
    pulumi:pulumi:Stack fleetcaptain-dev
Outputs:
    release: "v1"

Duration: 3s
error: the end""".splitlines()
CHANGED = [line for line in OUTPUT if line.startswith(f" ~  {UNIT} web updat") and "(0s)" not in line]
KEPT = [
    "Previewing update (dev):",
    *CHANGED[:1],
    "warning: a line that is no row",
    *OUTPUT[OUTPUT.index("Diagnostics:") : OUTPUT.index("Updating (dev):") + 1],
    *CHANGED[1:],
    *OUTPUT[OUTPUT.index("Outputs:") :],
]


@pytest.mark.parametrize("quiet", [False, True])
def test_only_rows_are_left_out(quiet: bool) -> None:
    """Those of what is read or stays as it is; with *quiet*, all. Messages, outputs and the summary stay whole."""
    shown: list[str] = []
    shortened = Shortened(shown.append, quiet=quiet)
    for line in OUTPUT:
        shortened.line(line)
    assert len(CHANGED) == 3
    assert shown == [line for line in KEPT if not (quiet and line in CHANGED)]


def test_a_failure_before_anything_else_is_shown() -> None:
    """Pulumi has no section for it."""
    shown: list[str] = []
    shortened = Shortened(shown.append, quiet=True)
    for line in ("error: the stack is currently locked", "  by ann@laptop"):
        shortened.line(line)
    assert len(shown) == 2
