"""A whole run gives a few failed tests a second chance, alone, and says which ones took it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import once_more

_FAILS = "def test_fails(): assert False\n"
_PASSES = "def test_passes(): pass\n"
_FAILS_ONCE = """
from pathlib import Path

def test_fails_once():
    found = Path("ran").exists()
    Path("ran").touch()
    assert found
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, in which pytest has no configuration but its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def _run(folder: Path, **files: str) -> int:
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    return once_more.main("some", sys.executable, "-m", "pytest", "-q", "-n", "2")


def test_what_fails_once_is_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing else runs again."""
    assert _run(folder, a=_FAILS_ONCE, b=_PASSES) == 0
    out = capfd.readouterr().out
    assert "1 failed, 1 passed" in out
    assert "\n1 passed" in out
    assert out.endswith("PASSED ONLY ALONE:\n  test_a.py::test_fails_once\n")


def test_what_fails_again_fails(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Beside one that fails once."""
    assert _run(folder, a=_FAILS_ONCE, b=_FAILS) == 1
    assert "1 failed, 1 passed" in capfd.readouterr().out


def test_many_failures_are_no_chance(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """They do not run again."""
    assert _run(folder, a=_FAILS_ONCE, b="".join(_FAILS.replace("fails", f"fails_{n}") for n in range(3))) == 1
    assert "Once more" not in capfd.readouterr().out


def test_what_is_no_failed_test_is_not_repeated(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Such as a run that something else makes fail, with or without a failed test."""
    (folder / "conftest.py").write_text(
        "from pathlib import Path\n\n"
        "def pytest_sessionfinish(session):\n    session.exitstatus = int(Path('status').read_text())\n"
    )
    for status, test in ((1, _PASSES), (3, _FAILS)):
        (folder / "status").write_text(str(status))
        assert _run(folder, a=test) == status
        assert "Once more" not in capfd.readouterr().out


def test_an_error_of_the_run_is_its_status(folder: Path) -> None:
    """It found no test."""
    assert _run(folder) == 5
