"""Completion of the names of services, and of the shells that typer knows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetcaptain.cli.completion import services, services_in

CAPTAIN = str(Path(sys.executable).with_name("captain"))
FLEETFILE = """
from fleetcaptain import Fleetfile, Service
raise SystemExit("it is not run")
fleet = Fleetfile(app="shop", services=[Service("web"), Service(name="worker", command=other()), Service(NAME)])
"""


def test_names_are_read_from_the_text() -> None:
    """It is not run, so it may say anything; names that only a run knows are left out."""
    assert services_in(FLEETFILE) == ["web", "worker"]


def test_the_fleetfile_is_that_of_the_folder_or_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the settings of a stack name it."""
    app, below = tmp_path / "shop", tmp_path / "deploy" / "more"
    app.mkdir()
    below.mkdir(parents=True)
    (app / "Fleetfile.py").write_text(FLEETFILE)
    (tmp_path / "deploy" / "Pulumi.yaml").write_text("name: x\n")
    (tmp_path / "deploy" / "Pulumi.prod.yaml").write_text("config:\n  fleetcaptain:project: ../shop\n")
    monkeypatch.chdir(app)
    assert services("w") == ["web", "worker"]
    monkeypatch.chdir(below)
    assert services("wo") == ["worker"]


@pytest.mark.parametrize("text", ["def", "\0", "(" * 1000, "x" * 10])
def test_what_cannot_be_read_completes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Without a message in the middle of a line."""
    (tmp_path / "Fleetfile.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert services("") == []


def test_the_command_line_loads_no_program_that_only_one_command_needs() -> None:
    """A shell starts it at each completion."""
    heavy = ["fleetcaptain.fleetfile.loader", "requests", "etcd", "pulumi", "docker", "cryptography"]
    code = f"import sys, fleetcaptain.cli.build; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_the_names(tmp_path: Path, shell: str) -> None:
    """As its completion script asks."""
    (tmp_path / "Fleetfile.py").write_text(FLEETFILE)
    asked = {
        "bash": {"_CAPTAIN_COMPLETE": "complete_bash", "COMP_WORDS": "captain logs w", "COMP_CWORD": "2"},
        "zsh": {"_CAPTAIN_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "captain logs w"},
        "fish": {
            "_CAPTAIN_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_ARGS": "captain logs w",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    }[shell]
    began = time.monotonic()
    done = subprocess.run(
        [CAPTAIN], cwd=tmp_path, env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    print(f"{shell}: {time.monotonic() - began:.2f} s")
    assert (done.returncode, done.stderr) == (0, "")
    assert "web" in done.stdout
    assert "worker" in done.stdout
