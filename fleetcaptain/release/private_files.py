"""What of a checkout of FleetCaptain itself must not get into an image: keys, Pulumi's state, git's history."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleet.project_files import STACKS
from fleetcaptain.fleetfile.build_context import BuildContext

__all__ = ["refuse_private_files"]

# Keys of clusters and Pulumi's state; what git knows; Pulumi's own folder with its access tokens; nothing an app needs.
_PRIVATE = (STACKS, ".git", ".tools", ".venv")


def refuse_private_files(context: BuildContext, project: Path) -> None:
    """Raises ReleaseRefused when the folder of *context* has the checkout *project* in it and neither its
    ``.dockerignore`` nor its ``only`` excludes what is private there: all of a context goes to the builder."""
    if not project.is_relative_to(context.folder):
        return
    selection = context.selection()
    paths = [PurePosixPath(project.relative_to(context.folder) / name) for name in _PRIVATE]
    missing = [str(path) for path in paths if not selection.excludes(path)]
    if missing:
        raise ReleaseRefused(
            f"The build context {context.folder} contains this project, and with it keys and Pulumi's state. Nothing "
            "was changed:",
            [
                f"{context.ignore} does not exclude {', '.join(missing)}. Add these as its last lines, or move the app "
                "to a folder of its own (fleetcaptain:project)."
            ],
        )
