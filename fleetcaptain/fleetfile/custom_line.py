"""A custom command line, as systemd reads it (systemd.service(5), "COMMAND LINES"). Pure; raises `Mistake`.

systemd drops a line that it cannot read, and with it the unit. The rules are those of `config_parse_exec` and
`extract_first_word` in systemd 252.
"""

from __future__ import annotations

import re

from fleetcaptain.fleetfile.problem import Mistake, represented
from fleetcaptain.fleetfile.texts import check_specifiers

__all__ = ["check_custom_line"]

_PREFIXES = "-@:+!|"
_ESCAPES = r"[abfnrtvs\\\"']|x[0-9A-Fa-f]{2}|[0-7]{3}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}"
_PART = re.compile(
    rf"""(?P<blank>[ \t]+) | (?<![^ \t])\\;(?![^ \t])
      | (?P<escape>\\(?:{_ESCAPES})) | '(?:[^'\\]|\\(?:{_ESCAPES}))*'
      | "(?:[^"\\]|\\(?:{_ESCAPES}))*" | [^ \t'"\\]+""",
    re.VERBOSE,
)
_NAME_BYTES = 255
# A program's name has no slash; a path begins with one, or with a specifier that stands for one.
_PROGRAM = re.compile(r"(?:[/%][^\\'\"]*[^\\'\"/]|(?!\.{1,2}$)[^\\'\"/]+)")
# What only a shell reads, as a word of its own or at its end; in quotes it is letters. A `;` of its own is systemd's.
_FOR_SHELL = re.compile(r"&&?|\|\|?|[0-9]*(?:>>?|<)(?:&[0-9]|[^ ]*)|`.*|\$\(.*|[^;]*[^;\\];|[^&]+[^=&]&|#.*")
_SHELL_PROGRAM = re.compile(r"[A-Za-z_]\w*=.*|cd|exec|export|source|set|eval|if|for|while|until")


def check_custom_line(line: str) -> str:
    """*line*, when systemd can read it as one command: a program, by its path or its name, and balanced words."""
    words, at, begins = [""], 0, True
    while at < len(line):
        part = _PART.match(line, at)
        if part is None:
            raise Mistake(
                f"{line[at : at + 40]!r} has a quote that does not end, or a backslash that begins no escape, and "
                "systemd drops such a line; balance the quotes, and write \\\\ for a backslash"
            )
        at, blank = part.end(), part.lastgroup == "blank"
        if not blank:
            words = [*words, part[0]] if begins and words != [""] else [*words[:-1], words[-1] + part[0]]
        begins = blank
    check_specifiers(line)
    first = _unquoted(words[0])
    program = first.lstrip(_PREFIXES)
    for_shell = next(filter(_FOR_SHELL.fullmatch, words), None)
    if for_shell is None and not first.startswith("--") and _SHELL_PROGRAM.fullmatch(program):
        for_shell = program
    if for_shell:
        raise Mistake(
            f"systemd runs a program and no shell, which {represented(for_shell)} is for; write /bin/sh -c '...' with "
            "the whole line in it, or put quotes around the word where it is meant as letters"
        )
    if "@" in first.removesuffix(program) and len(words) == 1:
        raise Mistake("the prefix @ says that the next word is what the program sees as its own name; add that word")
    if not _PROGRAM.fullmatch(program) or (not program.startswith("/") and len(program.encode()) > _NAME_BYTES):
        raise Mistake(
            f"{represented(program)} is no program for systemd, which drops such a line; begin it with the whole path, "
            "such as /usr/bin/env, or with a program's name without slashes"
        )
    return line


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word
