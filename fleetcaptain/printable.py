"""Escapes text for a terminal. Every text that is shown passes `printable` once, where it leaves the process.

Texts come from containers, etcd, fleet, machines and other programs. A control character can move the cursor, set the
clipboard or hide text; ``<{%...%}>`` is a colour mark of Pulumi's command line, which panics at an unknown one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["COLOUR_MARK", "excerpt", "last_lines", "one_line", "printable", "text_of", "unprintable"]

COLOUR_MARK = "<{%"
"""The start of Pulumi's colour marks."""

_HARMLESS_MARK = "<{ %"
_LINE_CHARACTERS = 500
_JOINERS = "\u200c\u200d"
# Control characters except newline and tab; bidi controls; line and paragraph separators; Unicode's other invisible
# format characters; lone surrogates, which no encoding has.
_HARMFUL = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff"
)
# A joiner combines two emoji, or is part of a word: it stands between characters that are neither ASCII nor harmful.
_JOINED = rf"[^\x00-\x7f{_HARMFUL}{_JOINERS}]"
_ESCAPED = re.compile(rf"[{_HARMFUL}{_JOINERS}](?:(?<=[{_HARMFUL}])|(?<!{_JOINED}.)|(?!{_JOINED}))")


def printable(text: str) -> str:
    """*text* with harmful characters escaped (``\\x1b``, ``\\u202e``) and Pulumi's marks as ``<{ %``.

    Newlines, tabs, and the letters and emoji of every language stay. Printable text does not change.
    """
    return _ESCAPED.sub(_escape, text).replace(COLOUR_MARK, _HARMLESS_MARK)


def text_of(data: bytes) -> str:
    """Decode *data*, the output of a program or the content of a file. Bytes that are not UTF-8 become escapes
    (``\\xe9``), so that they never hide the rest."""
    return data.decode(errors="backslashreplace")


def one_line(text: str) -> str:
    """As `printable`, for a table cell: newlines and tabs are escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def unprintable(text: str) -> tuple[str, ...]:
    """The escapes of the characters that `printable` would change, each once, in order; Pulumi's marks excluded."""
    return tuple(dict.fromkeys(_escape(found) for found in _ESCAPED.finditer(text)))


def excerpt(lines: Sequence[str], most: int) -> list[str]:
    """The last *most* of *lines*, each cut to 500 characters: another program's output may have any size."""
    return [_cut(line) for line in lines[-most:]]


def last_lines(text: str, most: int = 1) -> str:
    """The last *most* non-blank lines of *text*, cut as by `excerpt`; "" when there are none."""
    return "\n".join(excerpt([line for line in text.splitlines() if line.strip()], most))


def _cut(line: str) -> str:
    more = len(line) - _LINE_CHARACTERS
    return f"{line[:_LINE_CHARACTERS]}... ({more:,} more characters)" if more > 0 else line


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
