"""Files that a stack's state names: found from the project's folder, wherever that is."""

from __future__ import annotations

from pathlib import Path

from fleetcaptain.fleet.project_files import from_project, project_folder


def test_the_project_is_the_next_folder_upwards_with_its_file(tmp_path: Path) -> None:
    """As for Pulumi itself."""
    below = tmp_path / "shop" / "web"
    below.mkdir(parents=True)
    assert project_folder(below) is None
    (tmp_path / "shop" / "Pulumi.yaml").touch()
    assert project_folder(below) == tmp_path / "shop"
    assert project_folder(tmp_path / "shop") == tmp_path / "shop"


def test_other_paths_stay() -> None:
    """Relative ones, and those of others."""
    assert from_project(".fleetcaptain/dev") == Path(".fleetcaptain/dev")
    assert from_project("/opt/tools") == Path("/opt/tools")
    assert from_project("/a/.tools/bin") == Path(".tools/bin")
