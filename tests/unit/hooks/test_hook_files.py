"""Which hooks an app has, and what they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.hooks.hook_files import Hook, find_hooks, hook_environ


def test_an_app_without_the_folder_has_no_hooks(tmp_path: Path) -> None:
    """And other files of the folder are none."""
    assert find_hooks(tmp_path) == {}
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "common.sh").write_text("")
    assert find_hooks(tmp_path) == {}


def test_hooks_are_found_by_their_names(tmp_path: Path) -> None:
    """Each of the three."""
    (tmp_path / "hooks").mkdir()
    for hook in Hook:
        (tmp_path / "hooks" / hook.value).touch(0o755)
    assert sorted(find_hooks(tmp_path)) == ["on-failure", "post-deploy", "pre-deploy"]


def test_hooks_that_cannot_run_are_all_named(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "hooks" / "post-deploy").mkdir(parents=True)
    (tmp_path / "hooks" / "pre-deploy").touch(0o644)
    with pytest.raises(FleetfileError) as refused:
        find_hooks(tmp_path)
    assert len(refused.value.problems) == 2
    assert "hooks/pre-deploy is not executable. Run `chmod +x" in str(refused.value)
    assert "hooks/post-deploy is not a file" in str(refused.value)


def test_the_variables_of_a_hook() -> None:
    """All begin with one prefix; an error of any size and with any character fits."""
    found = hook_environ(
        Hook.ON_FAILURE,
        app="shop",
        stack="fleetcaptain/prod",
        release="v2",
        services=["db", "web"],
        result="failed",
        failed="web",
        error="no\0" + "x" * 10_000,
    )
    assert found["FLEETCAPTAIN_ERROR"][:4] == "noxx"
    assert len(found["FLEETCAPTAIN_ERROR"]) < 5000
    assert {name: value for name, value in found.items() if name != "FLEETCAPTAIN_ERROR"} == {
        "FLEETCAPTAIN_HOOK": "on-failure",
        "FLEETCAPTAIN_APP": "shop",
        "FLEETCAPTAIN_STACK": "fleetcaptain/prod",
        "FLEETCAPTAIN_RELEASE": "v2",
        "FLEETCAPTAIN_SERVICES": "db web",
        "FLEETCAPTAIN_RESULT": "failed",
        "FLEETCAPTAIN_FAILED": "web",
    }
