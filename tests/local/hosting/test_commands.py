"""Which of Pulumi's commands use the host that Pulumi.yaml names, and what they do with it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.hosting.sample import CALLS, SECRETS
from tests.local.terminal.session import Session
from tests.programs import end_session, program
from tests.waits import until

_UP = ("up", "--yes", "--skip-preview", "--non-interactive")
_PATIENCE_SEC = 60


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A stack without anything in it."""
    return Session.make(tmp_path, "tests.local.hosting.sample")


def calls(session: Session, name: str) -> list[list[str]]:
    """The resource and the process, of each call of *name* so far."""
    file = session.folder / CALLS
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.split()[1:] for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def under_way(session: Session) -> Iterator[subprocess.Popen[str]]:
    """An update with one resource whose creation takes minutes."""
    with subprocess.Popen(
        [program("pulumi"), *_UP],
        cwd=session.folder,
        env=session.environ(STEPS="9999"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            until(lambda: bool(calls(session, "create")))
            yield process
        finally:
            end_session(process.pid)


def test_every_command_uses_it(session: Session) -> None:
    """Those that run the program, and those that do not; those need nothing on PATH."""
    assert "3 to create" in session.pulumi("preview").text
    assert session.pulumi("up", "--yes").code == 0
    assert len(calls(session, "create")) == 2
    bare = {"PATH": f"{program('pulumi').parent}:/usr/bin:/bin"}
    for command, environ in ((("refresh", "--yes", "--run-program"), {}), (("refresh", "--yes"), bare)):
        before = len(calls(session, "read"))
        screen = session.pulumi(*command, **environ)
        assert screen.code == 0, screen.text
        assert len(calls(session, "read")) >= before + 2
        assert "3 unchanged" in screen.text
    assert session.pulumi("destroy", "--yes", "--run-program", "--target", "**last").code == 0
    assert session.pulumi("destroy", "--yes", **bare).code == 0
    assert [name for name, _ in calls(session, "delete")] == ["last", "web0"]


def test_a_preview_shows_what_its_resources_announce(session: Session) -> None:
    """Also one that leaves the last resource out. An update does not show it again."""
    assert "takes other steps" not in session.pulumi("up", "--yes").text
    for target, shown in ((["--target", "**web0"], ["web0"]), ([], ["last", "web0"])):
        screen = session.pulumi("preview", *target, STEPS="1")
        assert re.findall(r"(\w+) takes other steps", screen.text.partition("Diagnostics:")[2]) == shown, screen.text
    update = session.pulumi("up", "--yes", STEPS="1").text
    assert "takes other steps" not in update.partition("Updating (dev):")[2], update


def test_it_is_found_from_any_folder(session: Session) -> None:
    """With ``-C``, and in a folder of the project."""
    assert session.pulumi("-C", str(session.folder), *_UP, folder="/").code == 0
    (session.folder / "docs").mkdir()
    assert "3 unchanged" in session.pulumi(*_UP, folder=str(session.folder / "docs")).text
    assert len(calls(session, "create")) == 2


def test_an_import_is_refused(session: Session) -> None:
    """With what to do instead."""
    screen = session.pulumi("import", "pulumi-python:dynamic/fleet:Sample", "other", "id", "--yes")
    assert screen.code != 0
    assert "Cannot import it. Run `pulumi up`" in screen.text


@pytest.mark.parametrize("environ", [{}, {"HALF": "yes"}])
def test_secrets_are_never_in_clear(session: Session, environ: dict[str, str]) -> None:
    """Neither in the state, whatever came of the operation, nor on the screen."""
    screen = session.pulumi(*_UP, "--diff", **environ)
    assert (screen.code == 0) is not bool(environ)
    assert ("half of it" in screen.text) is bool(environ)
    (state,) = (session.folder / "state").rglob("stacks/**/dev.json")
    resources = json.loads(state.read_text())["checkpoint"]["latest"]["resources"]
    (web,) = [one for one in resources if one["urn"].endswith("::web0")]
    assert all({"word", "words"} <= one.keys() for one in (web["inputs"], web["outputs"]))
    for secret in SECRETS:
        assert secret not in state.read_text()
        assert secret not in screen.text


def test_a_half_done_resource_is_updated_next(session: Session) -> None:
    """It is in the state, so it is not created again."""
    assert session.pulumi(*_UP, HALF="yes").code != 0
    assert session.pulumi(*_UP, HALF="yes").code != 0
    assert session.pulumi(*_UP).code == 0
    assert [name for name, _ in calls(session, "create")] == ["web0", "last"]
    assert [name for name, _ in calls(session, "update")] == ["web0", "web0"]


def test_a_failed_update_keeps_the_outputs_of_the_stack(session: Session) -> None:
    """It shows none of them as deleted, whether a resource failed or the program did."""
    assert session.pulumi(*_UP).code == 0
    source = session.folder / "__main__.py"
    for ending, environ in (("", {"HALF": "yes"}), ("boom\n", {})):
        source.write_text(f"{source.read_text()}\n{ending}")
        screen = session.pulumi(*_UP, **environ)
        assert screen.code != 0
        assert 'after: "last!"' in screen.text
        assert "- after" not in screen.text
        assert json.loads(session.pulumi("stack", "output", "--json").text)["after"] == "last!"


def test_operations_go_on_side_by_side(session: Session) -> None:
    """As many as `--parallel` says: all begin before the first one ends."""
    count = 20
    with subprocess.Popen(
        [program("pulumi"), *_UP, "--parallel", "64"],
        cwd=session.folder,
        env=session.environ(COUNT=str(count), STEPS="9999"),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        until(lambda: len(calls(session, "create")) == count)
        process.send_signal(signal.SIGINT)
    assert len(calls(session, "stopped")) == count


def test_a_first_interrupt_ends_operations_after_their_step(session: Session, under_way: subprocess.Popen[str]) -> None:
    """They say so, and nothing is left pending."""
    under_way.send_signal(signal.SIGINT)
    output, _ = under_way.communicate(timeout=_PATIENCE_SEC)
    assert "error: stopped on request" in output
    assert "Exception" not in output
    assert under_way.returncode != 0
    state = session.pulumi("stack", "export").text
    assert "pending_operations" not in json.loads(state)["deployment"]


def test_a_killed_engine_ends_the_operations_and_their_process(
    session: Session, under_way: subprocess.Popen[str]
) -> None:
    """The plugins of a killed engine go on otherwise."""
    ((_, process),) = calls(session, "create")
    os.kill(under_way.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{process}").exists())
    assert [name for name, _ in calls(session, "stopped")] == ["web0"]
