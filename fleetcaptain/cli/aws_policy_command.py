"""``captain aws-policy``: prints the IAM policy of operators of clusters on AWS."""

from __future__ import annotations

import json
import re
from typing import Annotated

import typer

from fleetcaptain.cli.printer import echo

__all__ = ["add"]

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]|\*")
_ACCOUNT = re.compile(r"[0-9]{12}|\*")


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("aws-policy")
    def aws_policy(
        *,
        region: Annotated[
            str, typer.Option("--region", help="Only clusters in this region. Default: in any.", metavar="NAME")
        ] = "*",
        account: Annotated[
            str, typer.Option("--account", help="The number of the account. Default: any.", metavar="NUMBER")
        ] = "*",
    ) -> None:
        """Print the IAM policy for operators of clusters on AWS.

        It has what `pulumi up`, `pulumi destroy` and `captain` call: give it to the user or role that deploys. It is
        one managed policy, below AWS's limit of 6144 characters.

        Example: captain aws-policy --region eu-west-1 > policy.json
        """
        from fleetcaptain.operator_policy import operator_policy

        if not _REGION.fullmatch(region):
            raise typer.BadParameter("must be the name of a region, such as eu-west-1", param_hint="--region")
        if not _ACCOUNT.fullmatch(account):
            raise typer.BadParameter("must have twelve digits", param_hint="--account")
        echo(json.dumps(operator_policy(region, account), indent=2))
