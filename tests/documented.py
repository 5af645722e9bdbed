"""The commands that README.md and the pages of docs/ show."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PAGES", "commands"]

_ROOT = Path(__file__).resolve().parents[1]
PAGES = (_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md")))
_ENDS = "|;<>&"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: Path, *programs: str) -> Iterator[list[str]]:
    """The words of each command of *programs* in the blocks of *page*, in the order in which they stand. Of a pipeline
    the first command."""
    blocks = [block for language, block in _BLOCK.findall(page.read_text()) if language in ("", "sh")]
    for block in blocks:
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            if command.split(" ", 1)[0] in programs:
                words = shlex.shlex(command, posix=True, punctuation_chars=_ENDS)
                words.whitespace_split = True
                yield list(itertools.takewhile(lambda word: word[:1] not in _ENDS, words))
