"""What a release is called."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetcaptain.errors import ReleaseRefused

__all__ = ["ReleaseName", "release_name"]

_DIGITS = 7
_DIRTY = "-dirty"
# Parts that begin otherwise are hidden by etcd, or lead elsewhere; so do two dots.
_TAG = re.compile(r"(?=.{1,128}\Z)(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9][A-Za-z0-9._+@-]*)*")
_RULE = (
    "it must have at most 128 letters, digits and . _ / + @ -, begin with a letter or digit, also after each /, and "
    "have no two dots in a row"
)


@dataclass(frozen=True)
class ReleaseName:
    """The *base* of a release's tag; it is the whole tag when it is *exact*."""

    base: str
    exact: bool = True

    def tag(self, contents: Mapping[str, str]) -> str:
        """The tag. Where nobody gave the release a name of its own, the *contents* of its services tell it from the
        next one, so that each can be gone back to."""
        if self.exact:
            return self.base
        lines = "".join(f"{service} {content}\n" for service, content in sorted(contents.items()))
        return f"{self.base}-{hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]}"


def release_name(configured: str | None, root: Path) -> ReleaseName:
    """The configured tag, else what ``git describe`` says of the app's folder, else ``dev``. The last one, and what is
    not committed, is completed by the contents. Raises ReleaseRefused for a tag, whoever gave it, that etcd would take
    for something else or that a terminal must not show."""
    if configured:
        return ReleaseName(_checked(configured, "Change fleetcaptain:release"))
    try:
        described = subprocess.run(
            ["git", "describe", "--tags", "--always", f"--dirty={_DIRTY}"],
            cwd=root,
            capture_output=True,
            text=True,
            errors="backslashreplace",  # a tag is any bytes; none of these makes a name
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ReleaseName("dev", exact=False)
    said = described.stdout.removesuffix("\n")
    if not said:
        return ReleaseName("dev", exact=False)
    way_out = "Name the release with `pulumi config set fleetcaptain:release TAG`, or give the commit another git tag"
    return ReleaseName(_checked(said, way_out), exact=not said.endswith(_DIRTY))


def _checked(tag: str, way_out: str) -> str:
    if not _TAG.fullmatch(tag):
        raise ReleaseRefused(f"{tag!r} cannot be the name of a release; nothing was changed:", [_RULE, f"{way_out}."])
    return tag
