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
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+@-]{0,127}")


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
    not committed, is completed by the contents. Raises ReleaseRefused for a tag that etcd would take for something
    else."""
    if configured:
        if not _TAG.fullmatch(configured):
            raise ReleaseRefused(
                f"{configured!r} cannot be the name of a release:",
                ["it has at most 128 letters, digits and . _ / + @ -, of which the first is a letter or digit"],
            )
        return ReleaseName(configured)
    try:
        described = subprocess.run(
            ["git", "describe", "--tags", "--always", f"--dirty={_DIRTY}"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ReleaseName("dev", exact=False)
    said = described.stdout.strip()
    return ReleaseName(said or "dev", exact=bool(said) and not said.endswith(_DIRTY))
