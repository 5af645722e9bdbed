"""Selects the stack of a command. A missing stack is created only with the user's consent."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Sequence

from tools.project_layout import Layout
from tools.shell import answer
from tools.tool_failure import ToolFailed

__all__ = ["preview", "select", "up"]

_DEFAULT = "dev"
"""The only stack that is created without a question: the user does not type its name."""
_BACKEND_SEC = 120.0


def select(stack: str, *, create: bool, ask: Callable[[str], bool] | None) -> None:
    """Select *stack*. A missing stack is created if it is the default one, *create* is set, or *ask* (None: no
    terminal) returns True for the question. Raises ToolFailed; then nothing was changed."""
    found, error = answer(["pulumi", "stack", "select", "--stack", stack, "--non-interactive"], timeout=_BACKEND_SEC)
    if found:
        return
    _may_create(stack, error, create=create, ask=ask, command="up")
    if _run(["pulumi", "stack", "select", "--create", "--stack", stack]) != 0:
        raise ToolFailed(f"Failed to create the stack {stack}. Nothing was changed.")


def up(stack: str, show: Callable[[str], None] | None = None) -> int:
    """Run ``pulumi up`` and return its exit status. *show* gets each line of its output; None: it has the terminal."""
    return _run(["pulumi", "up", "--stack", stack, "--yes"], show)


def preview(
    stack: str,
    layout: Layout,
    *,
    create: bool,
    ask: Callable[[str], bool] | None,
    show: Callable[[str], None] | None = None,
) -> int:
    """Run ``pulumi preview`` and return its exit status; *show* as for `up`. A stack that does not exist is created for
    it, as in `select`, and removed again. Raises ToolFailed; then nothing was changed."""
    argv = ["pulumi", "preview", "--stack", stack, "--diff"]
    found, error = _name("--stack", stack)
    if found:
        return _run(argv, show)
    _may_create(stack, error, create=create, ask=ask, command="preview")
    # Removing a stack also removes its settings, unless they existed before, and deselects it.
    selected, before = _name()
    keep = ["--preserve-config"] if layout.settings(stack).exists() else []
    if _run(["pulumi", "stack", "init", "--no-select", "--stack", stack]) != 0:
        raise ToolFailed(f"Failed to create the stack {stack} for the preview. Nothing was changed.")
    try:
        return _run(argv, show)
    finally:
        _run(["pulumi", "stack", "rm", "--yes", "--stack", stack, *keep])
        if selected:
            _run(["pulumi", "stack", "select", "--stack", before])


def _may_create(stack: str, error: str, *, create: bool, ask: Callable[[str], bool] | None, command: str) -> None:
    """Raise ToolFailed unless *stack* may be created. *error*: Pulumi's reason for not finding it."""
    if "no stack named" not in error:
        raise ToolFailed(f"Failed to find the stack {stack}. Nothing was changed. Pulumi says:\n{error}")
    if create or stack == _DEFAULT:
        return
    what = f"The stack {stack} does not exist. {_existing()}"
    if ask is None:
        raise ToolFailed(f"{what} Nothing was changed. To create it, run `make {command} STACK={stack} CREATE=1`.")
    if not ask(f"{what} Create it{' for this preview' if command == 'preview' else ''}?"):
        raise ToolFailed("Nothing was changed.")


def _name(*stack: str) -> tuple[bool, str]:
    """Whether *stack*, or the selected one, exists; and its name, or Pulumi's reason."""
    return answer(["pulumi", "stack", "--show-name", *stack, "--non-interactive"], timeout=_BACKEND_SEC)


def _existing() -> str:
    found, output = answer(["pulumi", "stack", "ls", "--json", "--non-interactive"], timeout=_BACKEND_SEC)
    names = [stack["name"] for stack in json.loads(output)] if found else []
    return f"Existing stacks: {', '.join(names)}." if names else "There are no other stacks."


def _run(argv: Sequence[str], show: Callable[[str], None] | None = None) -> int:
    """The exit status of *argv*, on this terminal or with its output for *show*. It handles ^C itself."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        if show is None:
            return subprocess.run(argv, check=False).returncode
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="backslashreplace"
        ) as process:
            for line in process.stdout or ():
                show(line.rstrip("\n"))
        return process.returncode
    finally:
        signal.signal(signal.SIGINT, before)
