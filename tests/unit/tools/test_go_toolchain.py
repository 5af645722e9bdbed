"""Which Go builds what machines run: the pinned one, or the installed one without a download."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.gobuild import build
from tools.pins import GO_TOOLCHAIN, MACHINE_TOOLS, PULUMI, GoTool
from tools.project_layout import Layout

# It writes the toolchain into what it builds. `offline` beside it: it can download no other than its own.
_GO = """#!/bin/sh
if [ -e "$0.offline" ] && [ -n "$GOTOOLCHAIN" ]; then echo "toolchain not available"; exit 1; fi
while [ $# -gt 0 ]; do
  [ "$1" != -o ] || echo "built by ${GOTOOLCHAIN:-its own}" > "$2"
  shift
done
"""


def built(tmp_path: Path, tool: GoTool) -> str:
    """What the stand-in writes for *tool*."""
    layout = Layout(tmp_path)
    layout.modules(tool.module).mkdir(parents=True)
    layout.scratch.mkdir(parents=True)
    build(tool, layout)
    return layout.installed(tool.name).read_text().strip()


@pytest.mark.parametrize(
    ("tool", "offline", "expected"),
    [
        (MACHINE_TOOLS[0], False, f"built by {GO_TOOLCHAIN}"),
        (MACHINE_TOOLS[1], True, "built by its own"),
        (PULUMI, False, "built by its own"),
    ],
)
def test_machines_programs_have_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: GoTool, offline: bool, expected: str
) -> None:
    """Local clusters run whatever was built; AWS compares the sum."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(_GO)
    go.chmod(0o755)
    if offline:
        go.with_name("go.offline").touch()
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.delenv("GOTOOLCHAIN", raising=False)
    assert built(tmp_path / "home", tool) == expected
