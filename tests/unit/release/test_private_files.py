"""What of a checkout of FleetCaptain itself must not get into an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.release.private_files import refuse_private_files

PRIVATE = (".fleetcaptain", ".git", ".tools", ".venv")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout in a folder with other things."""
    folder = tmp_path / "work" / "captain"
    (folder / "examples").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("context", ["..", "."])
def test_a_context_with_the_project_in_it_is_refused(project: Path, context: str) -> None:
    """With the lines that would help, by the path that they need."""
    folder = (project / context).resolve()
    with pytest.raises(ReleaseRefused) as refused:
        refuse_private_files(BuildContext(folder, folder / "Dockerfile"), project)
    assert f"{folder / '.dockerignore'} does not exclude" in str(refused.value)
    assert str((project / ".fleetcaptain").relative_to(folder)) in str(refused.value)
    assert "Nothing was changed" in str(refused.value)


def test_a_folder_of_the_app_is_sent(project: Path) -> None:
    """The example's, or one beside the project, with a .git too."""
    (project.parent / "shop" / ".git").mkdir(parents=True)
    for folder in (project / "examples", project.parent / "shop"):
        refuse_private_files(BuildContext(folder, folder / "Dockerfile"), project)


def test_what_is_excluded_is_not_sent(project: Path) -> None:
    """The Dockerfile's own list takes the place of the other one."""
    dockerfile = project / "Dockerfile"
    (project / ".dockerignore").write_text("\n".join(PRIVATE))
    refuse_private_files(BuildContext(project, dockerfile), project)
    (project / "Dockerfile.dockerignore").write_text("*.md\n.git")
    with pytest.raises(
        ReleaseRefused, match=r"Dockerfile.dockerignore does not exclude .fleetcaptain, .tools, .venv\."
    ):
        refuse_private_files(BuildContext(project, dockerfile), project)


def test_a_build_of_chosen_files_does_not_send_it(project: Path) -> None:
    """Unless a pattern may match it."""
    refuse_private_files(BuildContext(project, project / "Dockerfile", ("web", "lib/*.py")), project)
    for only in (".fleetcaptain/dev", "**/*.key", "*"):
        with pytest.raises(ReleaseRefused, match=r"does not exclude \.fleetcaptain"):
            refuse_private_files(BuildContext(project, project / "Dockerfile", ("web", only)), project)
