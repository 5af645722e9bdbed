"""Builds a Go tool, or copies scripts of a Go module, into ``.tools``: completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tools.fingerprint import GO_ENV, build_arguments, build_environment, fingerprint, sources
from tools.pins import BY_HAND, GO_TOOLS, PULUMI_SCRIPTS, SCRIPTS, GoTool, Scripts
from tools.project_layout import Layout, put
from tools.shell import run
from tools.tool_failure import ToolFailed

__all__ = ["build", "copy_scripts", "present", "remove"]

_DOWNLOAD_SEC = 300


def build(tool: GoTool, layout: Layout) -> None:
    """Build *tool* under a temporary name, then rename it. Its fingerprint is written last."""
    log = _fresh_log(layout, tool.name)
    module, unfinished = layout.modules(tool.module), layout.scratch / tool.name
    environment = _environment(tool, log)
    run(build_arguments(tool, unfinished), log, cwd=module, env=environment, by_hand=BY_HAND.get(tool.name, ""))
    target = layout.installed(tool.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(target)
    _sign(tool, layout)


def _environment(tool: GoTool, log: Path) -> Mapping[str, str]:
    """The environment that builds *tool*; with the Go that is installed, if the pinned one cannot be downloaded: local
    clusters run either."""
    pinned = dict(build_environment(tool))
    try:
        run(["go", "version"], log, env=pinned, timeout=_DOWNLOAD_SEC)
    except ToolFailed:
        pinned.pop("GOTOOLCHAIN", None)
    return pinned


def copy_scripts(layout: Layout) -> None:
    """Copy Pulumi's scripts from the module that ``go.sum`` pins. Go's module cache drops their executable bits."""
    log = _fresh_log(layout, SCRIPTS.name)
    argv = ["go", "mod", "download", "-json", SCRIPTS.source]
    run(argv, log, cwd=layout.modules(SCRIPTS.module), env=GO_ENV, by_hand=BY_HAND[SCRIPTS.name])
    output = log.read_text(errors="backslashreplace")
    try:
        folder = Path(json.loads(output[output.index("{\n") :])["Dir"])
        contents = [(folder / path).read_bytes() for path in SCRIPTS.paths]
    except (ValueError, KeyError, FileNotFoundError) as error:
        what = f"{SCRIPTS.source} does not contain {' and '.join(SCRIPTS.paths)}: {error}"
        raise ToolFailed(what, log=log, by_hand=BY_HAND[SCRIPTS.name]) from error
    for path, content in zip(SCRIPTS.paths, contents, strict=True):
        put(layout.bin / os.path.basename(path), content, mode=0o755)
    _sign(SCRIPTS, layout)


def present(layout: Layout) -> dict[str, bool]:
    """The tools in ``.tools``, and whether each matches the present pins."""
    known = {}
    for tool in (*GO_TOOLS, SCRIPTS):
        files = [layout.bin / name for name in PULUMI_SCRIPTS] if tool is SCRIPTS else [layout.installed(tool.name)]
        if all(os.access(path, os.X_OK) for path in files):
            signature = layout.fingerprints / tool.name
            known[tool.name] = signature.exists() and signature.read_text(errors="backslashreplace") == _fingerprint(
                tool, layout
            )
    return known


def remove(names: tuple[str, ...], layout: Layout) -> None:
    """Remove the tools *names*; missing ones are ignored."""
    for name in names:
        (layout.fingerprints / name).unlink(missing_ok=True)
        layout.installed(name).unlink(missing_ok=True)
    if SCRIPTS.name in names:
        for script in PULUMI_SCRIPTS:
            (layout.bin / script).unlink(missing_ok=True)


def _fingerprint(tool: GoTool | Scripts, layout: Layout) -> str:
    return fingerprint(tool, sources(layout.modules(tool.module)))


def _sign(tool: GoTool | Scripts, layout: Layout) -> None:
    put(layout.fingerprints / tool.name, _fingerprint(tool, layout).encode())


def _fresh_log(layout: Layout, name: str) -> Path:
    log = layout.log(name)
    log.unlink(missing_ok=True)
    return log
