"""The fingerprint of a built program's sources: a changed pin, flag or dependency changes it and triggers a rebuild."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tools.pins import FLEETCTL, GO_TOOLCHAIN, MACHINE_TOOLS, GoTool, Scripts

__all__ = ["GO_ENV", "build_arguments", "build_environment", "fingerprint", "sources"]

# Without a C library the machines can run the built files; paths are left out of them.
GO_ENV: Mapping[str, str] = {"CGO_ENABLED": "0", "GOWORK": "off"}

# What else has a say in the bytes, against the user's own settings. GOFLAGS cannot be empty: Go would take theirs.
_PROCESSOR = {"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOFLAGS": "-trimpath"}
_MACHINE_ENV: Mapping[str, str] = {**GO_ENV, **_PROCESSOR, "GOTOOLCHAIN": GO_TOOLCHAIN}


def build_environment(tool: GoTool) -> Mapping[str, str]:
    """The environment that builds *tool*: what machines run has the same bytes on each computer."""
    return _MACHINE_ENV if tool in (*MACHINE_TOOLS, FLEETCTL) else GO_ENV


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
        "environment": dict(build_environment(tool) if isinstance(tool, GoTool) else GO_ENV),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def sources(module: Path) -> dict[str, bytes]:
    """All files of *module*, by relative path."""
    return {str(path.relative_to(module)): path.read_bytes() for path in module.rglob("*") if path.is_file()}
