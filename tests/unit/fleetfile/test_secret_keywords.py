"""`secrets=` and `secret_files=`: what they resolve to, and what is refused without being shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import SecretFile, ServiceSpec

_FLEETFILE = """\
from fleetcaptain import Fleetfile, SecretFile, Service, Task

fleet = Fleetfile(
    app="shop",
    services=[Service("web", image="web:1", {keywords})],
    tasks=[Task("migrate", image="web:1", command="x", secrets=["DATABASE_URL"])],
)
"""


def web(folder: Path, keywords: str) -> ServiceSpec:
    """The service of a Fleetfile with these *keywords*."""
    (folder / "Fleetfile.py").write_text(_FLEETFILE.format(keywords=keywords))
    app = load(folder)
    assert app.tasks[0].container.secrets == ("DATABASE_URL",)
    return app.services[0]


def test_names_are_sorted_and_files_have_a_mode_and_an_owner(tmp_path: Path) -> None:
    """A changed order changes no unit."""
    spec = web(
        tmp_path,
        'secrets=["b", "A"], secret_files={"/run/z": "A", "/run/a": SecretFile("B", "0440", "7:8", base64=True)}',
    )
    assert spec.secrets == ("A", "b")
    assert spec.secret_files == (
        ("/run/a", SecretFile("B", "0440", "7:8", base64=True)),
        ("/run/z", SecretFile("A", "0400", "0:0")),
    )


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ('secrets="DATABASE_URL"', "secrets: must be a list of names, not a str"),
        ('secrets={"DB": "hunter2"}', "must be a list of names, not a dict"),
        ('secrets=["DB=hunter2"]', "an entry is not the name of a secret"),
        ('secrets=["DB", "DB"]', "DB is given twice"),
        ('secrets=["DOCKER_HOST"]', "DOCKER_HOST is a variable of the machine's own programs"),
        ('secrets=["https_proxy"]', "https_proxy is a variable of the machine's own programs"),
        ('secrets=["DB"], env={"DB": "x"}', "DB is in env= too"),
        ('secrets=["DB"], docker_args=["-e", "DB=hunter2"]', "DB is in docker_args= too, as --env"),
        ('secrets=["DB"], docker_args=["--env=DB"]', "DB is in docker_args= too, as --env"),
        ('secrets=[SecretFile("DB")]', "a SecretFile is no variable; write it in secret_files="),
        ('secret_files=["/run/x"]', "must be a mapping of paths in the container to names, not a list"),
        ('secret_files={"run/x": "A"}', "is not an absolute path of a file"),
        ('secret_files={"/run/../x": "A"}', "is not an absolute path of a file"),
        ('secret_files={"/run/x": "hunter2 "}', "an entry is not the name of a secret"),
        ('secret_files={"/run/x": SecretFile("A", "0000")}', "A: the mode must be four octal digits"),
        ('secret_files={"/run/x": SecretFile("A", 400)}', "A: the mode must be four octal digits"),
        ('secret_files={"/run/x": SecretFile("A", owner="app")}', 'A: the owner must be "uid:gid" in numbers'),
        ('secret_files={"/run/x": SecretFile("A", base64="yes")}', "A: base64 must be True or False"),
        ('secret_files={"/run/x": "A"}, volumes=["data:/run/x"]', "/run/x is in volumes= too"),
        ('secret_files={"/run/x": "A"}, start="/bin/x"', "only a container that command= starts has them"),
    ],
)
def test_mistakes_are_named_without_values(tmp_path: Path, keywords: str, why: str) -> None:
    """Whoever writes a value in place of a name does not find it in a log."""
    with pytest.raises(FleetfileError) as error:
        web(tmp_path, keywords)
    assert why in str(error.value)
    assert "hunter2" not in str(error.value)
