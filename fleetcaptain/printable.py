"""What a terminal may get: every text that is shown passes `printable`, once, where it leaves the process.

Texts come from containers, etcd, fleet, machines and other programs. A control character in one moves the cursor, sets
the clipboard or hides what follows; a ``<{%...%}>`` is a colour to Pulumi's command line, which panics at one that it
does not know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["COLOUR_MARK", "excerpt", "last_lines", "one_line", "printable", "text_of", "unprintable"]

COLOUR_MARK = "<{%"
"""How Pulumi's own colour marks begin."""

_HARMLESS_MARK = "<{ %"
_LINE_CHARACTERS = 500
_JOINERS = "\u200c\u200d"
# Control characters but newline and tab; bidi controls; line and paragraph separators; whatever else Unicode calls a
# format character and nothing shows; lone surrogates, which no encoding has.
_HARMFUL = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff"
)
# A joiner makes one emoji of two, or spells a word, and stands between what is neither ASCII nor harmful.
_JOINED = rf"[^\x00-\x7f{_HARMFUL}{_JOINERS}]"
_ESCAPED = re.compile(rf"[{_HARMFUL}{_JOINERS}](?:(?<=[{_HARMFUL}])|(?<!{_JOINED}.)|(?!{_JOINED}))")


def printable(text: str) -> str:
    """*text* with harmful characters as escapes (``\\x1b``, ``\\u202e``) and Pulumi's marks as ``<{ %``.

    Newlines, tabs, and the letters and emoji of every language stay. What is printable already does not change.
    """
    return _ESCAPED.sub(_escape, text).replace(COLOUR_MARK, _HARMLESS_MARK)


def text_of(data: bytes) -> str:
    """*data*, which another program printed or a file has, as text: what is no UTF-8 stands as escapes (``\\xe9``), so
    that it never hides the rest."""
    return data.decode(errors="backslashreplace")


def one_line(text: str) -> str:
    """As `printable`, for a cell of a table: newlines and tabs are escapes too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def unprintable(text: str) -> tuple[str, ...]:
    """The escapes of the characters that `printable` would change, each once, in their order; marks do not count."""
    return tuple(dict.fromkeys(_escape(found) for found in _ESCAPED.finditer(text)))


def excerpt(lines: Sequence[str], most: int) -> list[str]:
    """The last *most* of *lines*, each cut to 500 characters; what another program says may be of any size."""
    return [_cut(line) for line in lines[-most:]]


def last_lines(text: str, most: int = 1) -> str:
    """The last *most* lines of *text* that are not blank, cut as by `excerpt`; "" when there are none."""
    return "\n".join(excerpt([line for line in text.splitlines() if line.strip()], most))


def _cut(line: str) -> str:
    more = len(line) - _LINE_CHARACTERS
    return f"{line[:_LINE_CHARACTERS]}... ({more:,} more characters)" if more > 0 else line


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
