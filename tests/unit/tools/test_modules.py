"""The dependencies of the tools that are built from Go: one set of versions, so that each is compiled once."""

from __future__ import annotations

import re
from pathlib import Path

MODULES = Path(__file__).resolve().parents[3] / "tools" / "go"
SHARING = ("pulumi", "language-python", "docker-build")
# The Python host is of an older SDK, and the plugin does not compile with a newer engine.
DIFFERENT = {"github.com/pulumi/pulumi/sdk/v3", "github.com/pulumi/pulumi/pkg/v3"}


def required(module: str) -> dict[str, str]:
    """Module -> version, as `go.mod` of *module* requires it."""
    text = (MODULES / module / "go.mod").read_text()
    return dict(re.findall(r"^(?:require)?\s+(\S+/\S+) (v\S+)", text, re.MULTILINE))


def test_tools_share_the_versions_of_their_dependencies() -> None:
    """Else the compiler's cache helps none of them, and the first `make up` takes minutes longer."""
    versions: dict[str, set[str]] = {}
    for tool in SHARING:
        found = required(tool)
        assert found
        for module, version in found.items():
            versions.setdefault(module, set()).add(version)
    assert {module: found for module, found in versions.items() if len(found) > 1 and module not in DIFFERENT} == {}
