"""A custom command line, as systemd reads it (systemd.service(5), "COMMAND LINES"). Pure; raises `ValidationError`.

systemd drops a line that it cannot read, and with it the unit. The rules are those of `config_parse_exec` and
`extract_first_word` in systemd 252.
"""

from __future__ import annotations

import re

from fleetcaptain.fleetfile.letters import check_specifiers
from fleetcaptain.fleetfile.validation_error import ValidationError, represented

__all__ = ["check_custom_line", "commands_of", "names_image"]

_PREFIXES = "-@:+!|"
_IMAGE = re.compile(r"\$\{IMAGE\}|\$IMAGE\b")
# Any character may follow a backslash: systemd keeps an unknown escape unchanged.
_PART = re.compile(
    r"""(?P<blank>[ \t]+) | \\. | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | [^ \t'"\\]+""",
    re.VERBOSE,
)
_NAME_BYTES = 255
# A program's name has no slash; a path begins with one, or with a specifier that stands for a folder.
_PROGRAM = re.compile(r"(?:(?:/|%[CdEhLStTVyY])[^\\'\"]*[^\\'\"/]|(?!\.{1,2}$)[^\\'\"/%]+)")
# Shell syntax, as a separate word or at the end of one; in quotes it is literal. A separate `;` is systemd's.
_FOR_SHELL = re.compile(r"&&?|\|\|?|[0-9]*(?:>>?|<)(?:&[0-9]|[^ ]*)|`.*|\$\(.*|[^;]*[^;\\];|[^&]+[^=&]&|#.*")
_SHELL_PROGRAM = re.compile(r"[A-Za-z_]\w*=.*|cd|exec|export|source|set|eval|if|for|while|until")


def check_custom_line(line: str) -> str:
    """*line*, if systemd can read it: each command has a program, by path or name, and balanced quotes."""
    for words in commands_of(line):
        _check_command(words)
    check_specifiers(line)
    return line


def names_image(line: str) -> bool:
    """Whether *line* uses ``${IMAGE}``, the service's image."""
    return _IMAGE.search(line) is not None


def commands_of(line: str) -> list[list[str]]:
    """The words of each command in *line*, as they are written: a semicolon between blanks begins another command."""
    words, at, begins = [""], 0, False
    while at < len(line):
        part = _PART.match(line, at)
        if part is None:
            raise ValidationError(
                f"{represented(line[at : at + 40])} has an unbalanced quote, so systemd would drop the line; "
                "close the quote"
            )
        at = part.end()
        if part.lastgroup == "blank":
            begins = True
            continue
        words = [*words, part[0]] if begins else [*words[:-1], words[-1] + part[0]]
        begins = False
    commands: list[list[str]] = [[]]
    for word in filter(None, words):
        if word == ";" and commands[-1]:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _check_command(words: list[str]) -> None:
    first = _unquoted(words[0])
    program = first.lstrip(_PREFIXES)
    for_shell = next(filter(_FOR_SHELL.fullmatch, words), None)
    if for_shell is None and not first.startswith("--") and _SHELL_PROGRAM.fullmatch(program):
        for_shell = program
    if for_shell:
        raise ValidationError(
            f"{represented(for_shell)} is shell syntax, but systemd runs the program without a shell; write "
            "/bin/sh -c '...' around the whole line, or quote the word to pass it literally"
        )
    if "@" in first.removesuffix(program) and len(words) == 1:
        raise ValidationError(
            "the prefix @ requires a second word, the name that the program gets as argv[0]; add that word"
        )
    if not _PROGRAM.fullmatch(program) or (not program.startswith("/") and len(program.encode()) > _NAME_BYTES):
        raise ValidationError(
            f"{represented(program)} is not a program that systemd can run, so systemd would drop the line; begin it "
            f"with an "
            "absolute path, such as /usr/bin/env, or with a program name without slashes"
        )


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word
