"""What is asked of a machine's journal, and the command that asks it. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from fleetcaptain.logs.log_entry import FIELDS

__all__ = ["JournalQuery", "lacks_grep", "pattern_of", "since_of"]

_AGE = re.compile(r"([0-9]{1,9})([smhdw])")
_WORDS = re.compile(r"today|yesterday|now|@[0-9]{1,12}")
# Ends what it runs when its input ends, so that nothing follows a journal for a process that is gone, however it ended.
_WITH_INPUT = 'exec 3<&0; {{ {}; }} </dev/null 3<&- & p=$!; {{ cat <&3; kill 0; }} >/dev/null 2>&1 & wait "$p"'
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
    def command(self) -> list[str]:
        """The command; with *follow* it ends when its input does, with all that it started.

        A journalctl that selects several units loses entries at the journal's end (systemd 257, about 1 of 10000 on a
        busy machine that it follows): it looks for the next entry of one unit after the other, and passes over one that
        is appended meanwhile to a unit that it has looked at. So it selects units only among entries of more than a
        second ago; from then on the whole journal is read, and grep selects.
        """
        if self.after:
            parts = [self._whole(None)]
        elif self.lines == 0:
            parts = [self._whole(0)]
        else:
            earlier = shlex.join(self._journalctl(self.lines, self.since, by_unit=True))
            # Its errors are the next one's too, except that *since* is later than its end.
            parts = [
                "now=$(date +%s)",
                f'{earlier} --until="@$((now - 2)).999999" 2>/dev/null',
                f'{self._whole(None)} --since="@$((now - 1))"',
            ]
        parts[-1] += f" | grep -aE --line-buffered {shlex.quote(_line_of(self.units))}"
        script = "; ".join(parts)
        return ["sh", "-c", _WITH_INPUT.format(script) if self.follow else script]

    def _whole(self, lines: int | None) -> str:
        """What reads the journal of all units."""
        follow = ["--follow"] if self.follow else []
        return shlex.join([*self._journalctl(lines, "", by_unit=False), *follow])

    def _journalctl(self, lines: int | None, since: str, *, by_unit: bool) -> list[str]:
        """Without ``--all`` it leaves out messages of more than 4096 bytes."""
        return [
            "journalctl",
            "--quiet",
            "--no-pager",
            "--all",
            "--output=json",
            f"--output-fields={','.join(FIELDS)}",
            f"--lines={'all' if lines is None else lines}",
            *([f"--since={since}"] if since else []),
            *([f"--grep={self.grep}"] if self.grep else []),
            *([f"--after-cursor={self.after}"] if self.after else []),
            *(f"--unit={unit}" for unit in self.units if by_unit),
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


def _line_of(units: Iterable[str]) -> str:
    """The extended regular expression of a line of JSON whose unit is one of *units*, names or globs."""
    special = {".": r"\.", "*": '[^"]*', "\\": r"\\\\"}
    names = "|".join("".join(special.get(letter, letter) for letter in unit) for unit in units)
    return f'"(_SYSTEMD_)?UNIT" ?: ?"({names})"'
