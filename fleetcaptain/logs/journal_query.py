"""What is asked of a machine's journal, and the command that asks it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from fleetcaptain.logs.log_entry import FIELDS

__all__ = ["JournalQuery", "lacks_grep", "pattern_of", "since_of"]

_AGE = re.compile(r"([0-9]{1,9})([smhdw])")
_WORDS = re.compile(r"today|yesterday|now|@[0-9]{1,12}")
# journalctl without PCRE2, and one that is older than the option.
_LACKS_GREP = ("without pattern matching", "unrecognized option '--grep", "unknown option")


@dataclass(frozen=True)
class JournalQuery:
    """Entries of *units*, names or globs; the last *lines* of them, None for all; *since* (journalctl's form); that
    match *grep*; then, with *follow*, new ones. *after*: only those after this cursor, and all of them."""

    units: tuple[str, ...]
    lines: int | None = None
    since: str = ""
    grep: str = ""
    follow: bool = False
    after: str = ""

    @property
    def argv(self) -> list[str]:
        """The command. Without ``--all`` journalctl leaves out messages of more than 4096 bytes."""
        lines = "all" if self.lines is None or self.after else str(self.lines)
        return [
            "journalctl",
            "--quiet",
            "--no-pager",
            "--all",
            "--output=json",
            f"--output-fields={','.join(FIELDS)}",
            f"--lines={lines}",
            *([f"--since={self.since}"] if self.since and not self.after else []),
            *([f"--grep={self.grep}"] if self.grep else []),
            *([f"--after-cursor={self.after}"] if self.after else []),
            *(["--follow"] if self.follow else []),
            *(f"--unit={unit}" for unit in self.units),
        ]

    def resumed(self, cursor: str) -> JournalQuery:
        """The same after the entry at *cursor*; itself without one."""
        return replace(self, after=cursor) if cursor else self

    def without_grep(self) -> JournalQuery:
        """The same for a machine that cannot search: all entries are read, and searched by the reader."""
        return replace(self, grep="", lines=None)


def lacks_grep(errors: str) -> bool:
    """Whether a journalctl with these *errors* cannot search."""
    return any(sentence in errors for sentence in _LACKS_GREP)


def pattern_of(grep: str) -> re.Pattern[str]:
    """What journalctl searches for: small letters alone match capitals, too. Raises ValueError."""
    try:
        return re.compile(grep, re.IGNORECASE if grep == grep.lower() else 0)
    except re.error as error:
        raise ValueError(f"{grep!r} is not a regular expression: {error}") from error


def since_of(text: str) -> str:
    """*text* in the form that every journalctl reads: an age (``10m``, ``2h``, ``1d``), a time (ISO 8601; without an
    offset, of this computer), ``today`` or ``yesterday``. Raises ValueError."""
    if _AGE.fullmatch(text):
        return f"-{text}"
    if _WORDS.fullmatch(text):
        return text
    try:
        return f"@{int(datetime.fromisoformat(text).timestamp())}"
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{text!r} must be an age such as 10m, 2h or 1d, or a time such as 2030-02-01T12:00"
        ) from error
