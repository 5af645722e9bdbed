"""What a release is called."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["release_tag"]


def release_tag(configured: str | None, root: Path) -> str:
    """The configured tag, else what ``git describe`` says of the app's folder, else ``dev``."""
    if configured:
        return configured
    try:
        described = subprocess.run(
            ["git", "describe", "--tags", "--always", "--dirty"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return "dev"
    return described.stdout.strip() or "dev"
