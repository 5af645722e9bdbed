"""``python3 -m tools install | env | select | up | preview | lock | audit | tidy``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fleetcaptain.printable import printable
from tools.attributes import drop_empty_attributes
from tools.audit import audit
from tools.base_image import unmount_below
from tools.docker_engine import Daemon
from tools.gobuild import present
from tools.install_plan import PYTHON, Verb, only, plan
from tools.locks import drop_dead_locks
from tools.pins import BUILDX
from tools.plugins import mirror_docker_config, pulumi_home, users_docker_config
from tools.probe import look
from tools.profile import Profile, profile_of
from tools.project_layout import Layout
from tools.pulumi_output import Shortened
from tools.pulumi_stack import preview, select, up
from tools.requirements import renew
from tools.schedule import carry_out
from tools.shell_environment import environment, exports
from tools.tidy import tidy
from tools.tool_failure import ToolFailed
from tools.work import work

_ROOT = Path(__file__).resolve().parent.parent
# One build uses two cores, and the next one reuses its results; parallel builds compile the same packages twice.
_PARALLEL_BUILDS = max(1, (os.cpu_count() or 1) // 2)
_QUIET = "print only messages, outputs and the summary"
_SLOW_STEPS = ("build", "install", "start", "fetch")


def main(arguments: Sequence[str], root: Path = _ROOT) -> int:
    """The exit status: 0 done, 1 a step failed. Raises SystemExit(2) when the arguments are not understood."""
    layout, environ = Layout(root), dict(os.environ)
    chosen = _parser().parse_args(arguments)
    if chosen.command == "env":
        _export(_variables(layout, environ))
        return 0
    if chosen.command != "install":
        return _other(layout, chosen, environ)
    settings = layout.settings(chosen.stack)
    text = settings.read_text(errors="backslashreplace") if settings.exists() else ""
    profile = profile_of(text, aws=chosen.aws, tests=chosen.tests)
    if not _install(layout, profile, only_python=chosen.only_python, quiet=chosen.exports):
        return 1
    if chosen.exports:
        # Before `_install` changes the environment: its values would look like the user's own.
        _export(_variables(layout, environ))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tools")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="find, install or build the tools")
    install.add_argument("--stack", default="dev", help="also what this stack's cluster needs; default: dev")
    install.add_argument("--aws", action="store_true", help="also what clusters on AWS need")
    install.add_argument("--tests", action="store_true", help="also what the tests need")
    install.add_argument("--only-python", action="store_true", help="only the virtual environment")
    install.add_argument("--exports", action="store_true", help="then print the environment, as `env` does")
    commands.add_parser("env", help="print the environment of the tools, for `eval` in a shell")
    for name, purpose in (("select", "select a stack, or create it"), ("preview", "show what an update would change")):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("--stack", default="dev", help="the stack; default: dev")
        command.add_argument("--create", action="store_true", help="create the stack if it does not exist")
        if name == "preview":
            command.add_argument("--quiet", action="store_true", help=_QUIET)
    update = commands.add_parser("up", help="create or update a stack that exists")
    update.add_argument("--stack", default="dev", help="the stack; default: dev")
    update.add_argument("--quiet", action="store_true", help=_QUIET)
    lock = commands.add_parser("lock", help="write the locks of the Python packages from pyproject.toml")
    lock.add_argument("--upgrade", action="store_true", help="upgrade versions within the ranges of pyproject.toml")
    commands.add_parser("audit", help="check licences and known vulnerabilities of installed packages")
    commands.add_parser("tidy", help="stop the Docker engine and remove empty folders if there is no stack")
    return parser


def _other(layout: Layout, chosen: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run a command that installs nothing."""
    os.environ.update(_variables(layout, os.environ))
    status = 0
    try:
        if chosen.command == "select":
            select(chosen.stack, create=chosen.create, ask=ask_on_terminal())
        elif chosen.command == "preview":
            show = _shortened(quiet=chosen.quiet)
            status = preview(chosen.stack, layout, create=chosen.create, ask=ask_on_terminal(), show=show)
        elif chosen.command == "up":
            status = up(chosen.stack, _shortened(quiet=chosen.quiet))
        elif chosen.command == "lock":
            renew(layout, upgrade=chosen.upgrade)
        elif chosen.command == "audit":
            status = 0 if audit(layout, _say) else 1
        else:
            tidy(layout, Daemon(layout), _say, backend=environ.get("PULUMI_BACKEND_URL", ""))
    except ToolFailed as error:
        _say(str(error))
        return 1
    return status


def _install(layout: Layout, profile: Profile, *, only_python: bool, quiet: bool) -> bool:
    """Whether all of *profile* is there now, or its virtual environment. *quiet*: print nothing if there was nothing to
    do."""
    began = time.monotonic()
    unmount_below(layout.scratch)
    shutil.rmtree(layout.scratch, ignore_errors=True)
    layout.scratch.mkdir(parents=True, exist_ok=True)
    layout.state.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # it belongs to another user
        layout.stacks.chmod(0o700)  # keys and state are in it
    freed = drop_dead_locks(layout.state)
    for stack in freed.stacks:
        _say(f"released the lock of the stack {stack}: the pulumi that took it was killed")
    for doubt in freed.doubts:
        _say(doubt)
    for name in drop_empty_attributes(layout.state):
        _say(f"repaired the state: {name}.attrs was empty, since a pulumi was killed while it wrote it")
    # Built tools come first on PATH for all steps, including those built by earlier steps.
    os.environ.update(_variables(layout, os.environ))
    steps = plan(look(layout, os.environ), profile)
    if only_python:
        steps = only(PYTHON, steps)
    if quiet and all(step.verb is Verb.USE for step in steps):
        return True
    slow = [step.name for step in steps if step.verb in _SLOW_STEPS]
    if slow:
        _say(f"steps: {', '.join(slow)}")
    outcomes = carry_out(steps, lambda step: work(step, layout, os.environ), parallel=_PARALLEL_BUILDS, report=_say)
    failed = [outcome.step.name for outcome in outcomes if outcome.error]
    if failed:
        _say(f"Failed: {', '.join(failed)}. Fix the causes above, then run the same command again.")
    else:
        _say(f"tools are ready ({time.monotonic() - began:.1f} s)")
    return not failed


def _variables(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    own_buildx = BUILDX.name in present(layout)
    if own_buildx:
        mirror_docker_config(users_docker_config(environ, layout), layout)
    return environment(environ, layout, own_buildx=own_buildx, pulumi_home=pulumi_home(environ, layout))


def _export(variables: Mapping[str, str]) -> None:
    """For `eval` in a shell, so it stays as it is."""
    sys.stdout.write(exports(variables) + "\n")
    sys.stdout.flush()


def ask_on_terminal() -> Callable[[str], bool] | None:
    """A function that asks the user a question and returns whether the answer is yes; None without a terminal."""
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def _shortened(*, quiet: bool) -> Callable[[str], None] | None:
    """What shows the output of pulumi; None on a terminal, where pulumi itself keeps one row for each resource."""
    if sys.stdout.isatty() and not quiet:
        return None

    def write(line: str) -> None:
        sys.stdout.write(printable(f"{line}\n"))
        sys.stdout.flush()

    return Shortened(write, quiet=quiet).line


def _ask(question: str) -> bool:
    _write(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(text: str) -> None:
    """Progress goes to standard error: standard output is for `eval`."""
    _write(f"{text}\n")


def _write(text: str) -> None:
    sys.stderr.write(printable(text))
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
