"""``captain rollback``: deploys an earlier release again, by the stack's own program."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fleetcaptain.cli.printer import progress
from fleetcaptain.cli.target_cluster import Stack, stack_site
from fleetcaptain.errors import ClusterUnreachable, ReleaseRefused
from fleetcaptain.fleet.project_files import project_folder

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def rollback(
        tag: Annotated[
            str | None, typer.Argument(help="The release. Default: the one before that which was deployed last.")
        ] = None,
        *,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation after the preview.")] = False,
        config_file: Annotated[
            str | None,
            typer.Option("--config-file", help="The stack's settings, as in `pulumi up`.", metavar="FILE"),
        ] = None,
        stack: Stack = None,
    ) -> None:
        """Roll the app back to an earlier release.

        Shows the preview of `pulumi up`, asks, and deploys what the release recorded: texts, images, secrets, numbers
        of instances. Nothing is built. Each instance has to stay healthy for 2 s at most, because the release was
        complete before. After a deployment that failed, the default is the current release; after a rollback there is
        none, so name the release. The stack's settings stay as they are: the next `pulumi up` deploys the Fleetfile
        again.

        Exits with the exit code of `pulumi up`, with 2 when the release cannot be rolled back to, and with 10 when the
        cluster does not answer. ^C stops as in `pulumi up`; run the same command again to continue: if the release is
        current already, the error names the command.

        Example: captain rollback v1.0 --stack prod
        """
        from fleetcaptain.release.rollback import RequestedRollback, stack_option
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.rollback_check import check_rollback

        if project_folder(Path.cwd()) is None:
            raise ReleaseRefused(
                "Cannot roll back: this folder is not in a Pulumi project. Nothing was changed.",
                ["Run this command in the folder of the program that deployed the app, which has a Pulumi.yaml."],
            )
        where = stack_site(None, stack, changes=True)
        cluster = open_cluster(where.endpoint, where.app).owned_by(where.stack)
        given = {"--stack": stack or stack_option(where.stack), "--config-file": config_file}
        options = [word for option, value in given.items() if value for word in (option, value)]

        def command(other: str) -> str:
            return shlex.join(["captain", "rollback", other, *options])

        releases, release = check_rollback(cluster, tag, command)
        if not yes and not (os.isatty(0) and os.isatty(1)):
            raise ReleaseRefused(
                f"Cannot ask before the rollback to {release.tag}: there is no terminal. Nothing was changed.",
                [f"Run `{command(release.tag)} --yes`."],
            )
        by = f", deployed {release.when} by {release.who}" if release.when else ""
        progress(f"Rolling {where.app} ({where.stack}) back from {releases.current} to {release.tag}{by}")
        _become(
            ["pulumi", "up", *options, *(["--yes"] if yes else [])],
            {**os.environ, RequestedRollback.VARIABLE: release.tag},
        )


def _become(argv: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by *argv*, which has its terminal and signals, and whose exit code is the command's."""
    try:
        os.execvpe(argv[0], list(argv), dict(environ))  # noqa: S606 - no shell
    except OSError as error:
        raise ClusterUnreachable(
            f"Could not start pulumi: {error}. Nothing was changed. Install it, then run the same command again."
        ) from error
