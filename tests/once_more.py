"""Runs pytest, and afterwards what failed once more, alone: `python -m tests.once_more NAME COMMAND...`.

For a whole run on a machine whose processors others use, too, where one of thousands of tests may wait in vain. What
passes only alone is named: it has a fault, of its own or of the code, that must be found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]

_MOST = 3
"""So many failed tests may be chance."""
_FAILED = 1  # pytest's exit status; others are errors of the run itself


def main(name: str, *command: str) -> int:
    """The exit status of pytest, which *command* starts, or of its second run. *name* tells runs apart that have one
    working directory."""
    cache = Path(".pytest_cache", name)
    command = (*command, "-o", f"cache_dir={cache}")
    code = subprocess.run((*command, "--cache-clear"), check=False).returncode
    noted = cache / "v/cache/lastfailed"
    if code != _FAILED or not noted.exists():
        return code
    failed = list(json.loads(noted.read_text()))
    if len(failed) > _MOST:
        return code
    print(f"\n{len(failed)} failed. Once more, alone:", *failed, sep="\n  ", flush=True)
    code = subprocess.run((*command, "-n", "0", "--last-failed"), check=False).returncode
    if not code:
        print("\nPASSED ONLY ALONE:", *failed, sep="\n  ", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
