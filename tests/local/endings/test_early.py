"""A program that ends early, in the real Pulumi: nothing of the stack is deleted, and the update says why it failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.local.terminal.session import Session

ROOT = Path(__file__).resolve().parents[3]
# Without the loader of Fleetfiles. Pulumi alone ends each of them with 0, and deletes everything.
_BARE = "import asyncio, os, sys\nfrom components.engine.abort import refuse_early_end\nrefuse_early_end()\n{}\n"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A stack with one resource, and the product's own program for what comes next."""
    session = Session.make(tmp_path_factory.mktemp("endings"), "tests.local.terminal.hostile")
    assert session.pulumi("up", "--yes", "--skip-preview", HOSTILE="fine").code == 0
    assert "Hostile" in _resources(session)
    (session.folder / "app").mkdir()
    assert session.pulumi("config", "set", "fleetcaptain:project", "app").code == 0
    return session


def _resources(session: Session) -> str:
    """What Pulumi's state has."""
    (state,) = (session.folder / "state").rglob("stacks/**/dev.json")
    return json.dumps(json.loads(state.read_text())["checkpoint"]["latest"]["resources"])


def _refusal(session: Session, program: str) -> str:
    """What an update of the stack by *program* says, which deletes nothing."""
    (session.folder / "__main__.py").write_text(program)
    before = _resources(session)
    screen = session.pulumi("up", "--yes", "--skip-preview")
    assert screen.code != 0, screen.text
    assert "deleted" not in screen.text.replace("nothing is deleted", "")
    assert _resources(session) == before
    return " ".join(screen.text.split())


@pytest.mark.parametrize(
    "ending",
    [
        "import sys; sys.exit()",
        "import os; os._exit(0)",
        "import posix; posix._exit(0)",
        "import os; os.execlp('true', 'true')",
        "import signal; signal.raise_signal(signal.SIGINT)",
        "import os; os.fork() and os._exit(0)",
        "import region",
    ],
)
def test_a_fleetfile_ends_the_program(session: Session, ending: str) -> None:
    """Itself, or in a module beside it. One error has the line."""
    (session.folder / "app" / "region.py").write_text("raise SystemExit")
    (session.folder / "app" / "Fleetfile.py").write_text(f"# only in some regions\n{ending}\n")
    message = _refusal(session, (ROOT / "__main__.py").read_text())
    assert "app/Fleetfile.py; nothing was changed: Fleetfile.py:2: " in message
    assert "the file ended early (" in message
    assert "non-zero exit code" not in message


@pytest.mark.parametrize(
    "ending", ["sys.exit()", "sys.exit(256)", "os._exit(0)", "asyncio.get_running_loop().call_soon(sys.exit)"]
)
def test_something_else_ends_the_program(session: Session, ending: str) -> None:
    """At once, or while Pulumi waits for the rest of it."""
    assert "The program ended before it had declared all resources" in _refusal(session, _BARE.format(ending))


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_a_signal_ends_the_program(session: Session, number: str) -> None:
    """Pulumi says by which status."""
    assert "exit code" in _refusal(session, _BARE.format(f"import signal; signal.raise_signal(signal.{number})"))


def test_without_the_guard_everything_would_go(session: Session) -> None:
    """So it is the guard that keeps the resource in the tests above."""
    (session.folder / "__main__.py").write_text("import sys\nsys.exit()\n")
    screen = session.pulumi("preview")
    assert screen.code == 0
    assert "1 to delete" in screen.text
