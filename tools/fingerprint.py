"""The fingerprint of a built program's sources: a changed pin, flag or dependency changes it and triggers a rebuild."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tools.pins import GoTool, Scripts

__all__ = ["GO_ENV", "build_arguments", "fingerprint", "sources"]

# Without a C library the machines can run the built files; paths are left out of them.
GO_ENV: Mapping[str, str] = {"CGO_ENABLED": "0", "GOWORK": "off"}


def build_arguments(tool: GoTool, output: Path) -> tuple[str, ...]:
    """The command line that builds *tool* into *output*."""
    ldflags = "-s -w" if tool.stamp is None else f"-s -w -X {tool.stamp[0]}={tool.stamp[1]}"
    tags = ("-tags", ",".join(tool.tags)) if tool.tags else ()
    # The linker drops debug information (-s -w), so the compiler does not create it: a tenth less work.
    compiled = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
    return ("go", "build", *compiled, *tags, "-ldflags", ldflags, "-o", str(output), tool.package)


def fingerprint(tool: GoTool | Scripts, files: Mapping[str, bytes]) -> str:
    """The SHA-256, in hex, of the pin, its build command and its module's *files* (relative path -> content)."""
    how = build_arguments(tool, Path("output")) if isinstance(tool, GoTool) else ()
    facts = {
        "tool": asdict(tool),
        "arguments": how,
        "environment": dict(GO_ENV),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def sources(module: Path) -> dict[str, bytes]:
    """All files of *module*, by relative path."""
    return {str(path.relative_to(module)): path.read_bytes() for path in module.rglob("*") if path.is_file()}
