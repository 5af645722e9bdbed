"""Deploy hooks in the real Pulumi: when each runs, what it is given, and what its failure stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.hosting.sample import CALLS
from tests.local.terminal.session import Screen, Session

UP = ("up", "--yes", "--skip-preview", "--non-interactive")
SCRIPT = """\
#!/bin/sh
echo "saying $FLEETCAPTAIN_RELEASE"
echo "$FLEETCAPTAIN_HOOK $FLEETCAPTAIN_RELEASE $FLEETCAPTAIN_APP $FLEETCAPTAIN_STACK $FLEETCAPTAIN_SERVICES" \\
  "[$FLEETCAPTAIN_RESULT] [$FLEETCAPTAIN_FAILED] $FLEETCAPTAIN_ERROR" >> calls
"""
ABOUT = "v1 shop hostile/dev db web"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A stack whose app has all hooks; each writes a line, as the providers do."""
    session = Session.make(tmp_path, "tests.local.hosting.hooked")
    (tmp_path / "hooks").mkdir()
    for name in ("pre-deploy", "post-deploy", "on-failure"):
        write_hook(session, name, SCRIPT)
    return session


def write_hook(session: Session, name: str, script: str) -> None:
    """The hook *name* is *script*."""
    path = session.folder / "hooks" / name
    path.write_text(script)
    path.chmod(0o755)


def up(session: Session, code: int = 0, **environ: str) -> Screen:
    """One ``pulumi up``, and how it has to end."""
    screen = session.pulumi(*UP, **environ)
    assert (screen.code != 0) == (code != 0), screen.text
    return screen


def calls(session: Session) -> list[str]:
    """What happened since the last call of this function, without the providers' process ids."""
    file = session.folder / CALLS
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [line.rpartition(" ")[0] if line.split()[0] in ("create", "update") else line.rstrip() for line in lines]


def test_the_hooks_run_around_a_deployment(session: Session) -> None:
    """Once each; not in a preview, and not when there is nothing to do."""
    assert session.pulumi("preview", "--non-interactive").code == 0
    assert calls(session) == []
    screen = up(session)
    found = [line for line in calls(session) if line not in ("create machines", "create db", "create web")]
    assert found == [
        f"pre-deploy {ABOUT} [] []",
        "create record",
        "create migrate",
        "create ready",
        f"post-deploy {ABOUT} [done] []",
    ]
    assert "pre-deploy: saying v1" in screen.text
    up(session)
    assert [line for line in calls(session) if not line.startswith("read ")] == []


def test_a_task_that_runs_again_comes_after_pre_deploy(session: Session) -> None:
    """As after its failure: the release is recorded already."""
    up(session)
    calls(session)
    up(session, TASK="v2")
    assert [line for line in calls(session) if not line.startswith("read ")] == [
        f"pre-deploy {ABOUT} [] []",
        "update migrate",
    ]


def test_a_failing_pre_deploy_stops_the_deployment(session: Session) -> None:
    """Nothing of it is touched; the error names the hook and its exit code, once; and the next one can succeed."""
    write_hook(session, "pre-deploy", "#!/bin/sh\necho the tests are red\nexit 3\n")
    screen = up(session, 1)
    error = "hooks/pre-deploy failed: exit code 3. Nothing was deployed."
    assert [line for line in calls(session) if "machines" not in line] == [
        f"on-failure {ABOUT} [failed] [pre-deploy] {error}"
    ]
    assert "pre-deploy: the tests are red" in screen.text
    assert error in screen.text
    write_hook(session, "pre-deploy", SCRIPT)
    up(session)
    assert "create ready" in calls(session)


def test_a_pre_deploy_that_takes_too_long_is_ended(session: Session) -> None:
    """By its limit."""
    write_hook(session, "pre-deploy", "#!/bin/sh\nsleep 600\n")
    assert "hooks/pre-deploy failed: it did not end within 1 s and was stopped." in up(session, 1, LIMIT="1").text


def test_a_failing_post_deploy_fails_the_update_and_nothing_else(session: Session) -> None:
    """The release is deployed; the next update has nothing to do."""
    write_hook(session, "post-deploy", "#!/bin/sh\nexit 4\n")
    error = "hooks/post-deploy failed: exit code 4. The release v1 is deployed and current."
    assert error in up(session, 1).text
    assert calls(session)[-1] == f"on-failure {ABOUT} [failed] [post-deploy] {error}"
    up(session)
    assert [line for line in calls(session) if not line.startswith("read ")] == []


@pytest.mark.parametrize("failing", ["web", "machines", "ready"])
def test_on_failure_runs_once_whichever_resource_failed(session: Session, failing: str) -> None:
    """With the resource, and its error; and post-deploy does not run."""
    up(session, 1, FAILS=failing)
    found = [line for line in calls(session) if line.startswith(("on-failure", "post-deploy"))]
    assert found == [f"on-failure {ABOUT} [failed] [{failing}] half of it"]


def test_a_hook_that_is_not_executable_is_an_error_of_the_preview(session: Session) -> None:
    """Before anything happens."""
    (session.folder / "hooks" / "on-failure").chmod(0o644)
    screen = session.pulumi("preview", "--non-interactive")
    assert screen.code != 0
    assert "hooks/on-failure is not executable. Run `chmod +x" in screen.text


def test_a_stack_with_hooks_is_destroyed_without_them(session: Session) -> None:
    """The program does not run, and the state needs none of it."""
    up(session)
    calls(session)
    assert session.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive").code == 0
    assert not [line for line in calls(session) if "-deploy" in line]
