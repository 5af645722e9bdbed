"""The commands that README.md and the pages of docs/ show."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "Line", "commands", "lines"]

_ROOT = Path(__file__).resolve().parents[1]
PAGES = (_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md")))
_ENDS = "|;<>&"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PROMPT = "$ "


@dataclass(frozen=True)
class Line:
    """A *command* below the *heading* of a page, as it stands, and what the page says it prints: *shown*."""

    heading: str
    command: str
    shown: str

    @property
    def fails(self) -> bool:
        """Whether the page shows an error."""
        return "error:" in self.shown


def commands(page: Path, *programs: str) -> Iterator[list[str]]:
    """The words of each command of *programs* in the blocks of *page*, in the order in which they stand. Of a pipeline
    the first command."""
    for block in _blocks(page.read_text()):
        for line in block.splitlines():
            command = line.removeprefix(_PROMPT)
            if command.split(" ", 1)[0] in programs:
                words = shlex.shlex(command, posix=True, punctuation_chars=_ENDS)
                words.whitespace_split = True
                yield list(itertools.takewhile(lambda word: word[:1] not in _ENDS, words))


def lines(page: Path) -> Iterator[Line]:
    """The commands of *page*, in the order in which they stand. In a block with prompts the other lines are what a
    command prints."""
    for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE):
        heading = section.splitlines()[0]
        for block in _blocks(section):
            if block.startswith(_PROMPT):
                for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                    command, _, shown = text.partition("\n")
                    yield Line(heading, command, shown)
            else:
                yield from (Line(heading, command, "") for command in block.splitlines())


def _blocks(text: str) -> list[str]:
    return [block for language, block in _BLOCK.findall(text) if language in ("", "sh")]
