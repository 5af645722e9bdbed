"""``captain``, the command line. Its exit codes are those of `fleetcaptain.errors`; a usage error also gives 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.errors import FleetCaptainError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. With ``--json`` an error is also printed as JSON on standard output."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        from fleetcaptain.cli.build import build
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        echo("captain needs typer, which is not installed. Run `pip install typer`.", error=True)
        return 1
    try:
        build()(arguments, prog_name="captain")
    except FleetCaptainError as error:
        echo(f"captain: {error}", error=True)
        if "--json" in arguments:
            echo_json({"error": type(error).__name__, "exit_code": error.exit_code, "message": str(error)})
        return error.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0
