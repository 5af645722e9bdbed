"""Files that a stack's state names: found from the project's folder, wherever that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleet.project_files import from_project, has_relative_files, located, project_folder

ROOT = Path("/home/ann/shop")


@pytest.mark.parametrize(
    ("kind", "key", "found"),
    [
        ("local", ".fleetcaptain/dev/id", "/home/ann/shop/.fleetcaptain/dev/id"),
        ("local", "/old/place/.fleetcaptain/dev/id", "/home/ann/shop/.fleetcaptain/dev/id"),
        ("local", "/.fleetcaptain/x/.fleetcaptain/dev/id", "/home/ann/shop/.fleetcaptain/dev/id"),
        ("existing", "keys/id", "/home/ann/shop/keys/id"),
        ("existing", "/b/.fleetcaptain/dev/id", "/b/.fleetcaptain/dev/id"),
        ("aws", "~/.ssh/id", str(Path("~/.ssh/id").expanduser())),
        ("aws", "", ""),
    ],
)
def test_a_connections_files_are_found(kind: str, key: str, found: str) -> None:
    """Those of a local cluster are the project's own, also when an earlier version wrote where the project was."""
    connection = {"kind": kind, "key": key, "known_hosts": key, "ssh": ["core@a"]}
    assert located(connection, ROOT) == {**connection, "key": found, "known_hosts": found}
    assert has_relative_files(connection) is (bool(key) and not key.startswith(("/", "~")))


def test_a_connection_without_files_stays() -> None:
    """One to fleet's socket."""
    connection = {"kind": "existing", "fleet": "unix:///run/fleet.sock"}
    assert located(connection, ROOT) == connection
    assert not has_relative_files(connection)


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
