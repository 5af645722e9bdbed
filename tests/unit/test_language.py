"""The language of the product: help lines, banned words, unique file names, headings and the links to them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from fleetcaptain.cli.build import build

ROOT = Path(__file__).resolve().parents[2]
LONGEST_HELP = 60

# Words of translated or private language; each has a plain one: "no instance", "again", "also", "must be", "message".
BANNED = (
    "nobody",
    "somebody",
    "anew",
    "besides",
    "told",
    "is wanted",
    "are wanted",
    "cannot be had",
    "lets us in",
    "for ever",
    "of one's own",
    "what becomes of",
    "without a word",
    "whoever",
    "brought up",
    "gone back to",
)
BANNED_WORD = re.compile(rf"(?<![\w-])(?:{'|'.join(BANNED)})(?![\w-])", re.IGNORECASE)

# Texts that are part of a machine's definition, or compared by hash: a changed comment would replace every machine.
FROZEN = ("everybody sees the words of a command", "somebody's data, or an error")

# These names are those of Python, of pytest, and of an app.
COMMON_NAMES = {"__init__.py", "__main__.py", "conftest.py", "Fleetfile.py"}


def python_files(*folders: str) -> list[Path]:
    """Every Python file below *folders*, relative to the checkout."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def pages() -> list[Path]:
    """The pages for readers, relative to the checkout."""
    return [
        Path("README.md"),
        Path("CONTRIBUTING.md"),
        Path("SECURITY.md"),
        *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")),
    ]


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each string literal: messages, docstrings, scripts."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each line that is a comment."""
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if line.lstrip().startswith("# "):
            yield number, line


def banned_in(text: str) -> list[str]:
    """The banned words of *text*."""
    for frozen in FROZEN:
        text = text.replace(frozen, "")
    return BANNED_WORD.findall(text)


def help_lines() -> dict[str, str]:
    """The first line of the help of ``captain`` and of each of its commands."""
    captain = typer.main.get_group(build())
    found = {"captain": captain.help or "", **{name: command.help or "" for name, command in captain.commands.items()}}
    return {name: text.strip().splitlines()[0] for name, text in found.items()}


@pytest.mark.parametrize(("name", "line"), help_lines().items())
def test_the_first_line_of_a_help_is_short(name: str, line: str) -> None:
    """And a sentence."""
    assert 0 < len(line) <= LONGEST_HELP, f"{name}: {line}"
    assert line.endswith("."), f"{name}: {line}"


def test_captain_lists_every_command_with_its_whole_line(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal of 80 columns no line is cut."""
    with pytest.raises(SystemExit):
        build()(["--help"], prog_name="captain")
    shown = capsys.readouterr().out
    assert "..." not in shown.split("Commands:")[1]
    for line in help_lines().values():
        assert line in shown


def test_no_message_docstring_or_comment_has_a_banned_word() -> None:
    """Also no script that a machine runs, except frozen ones."""
    files = [*python_files("fleetcaptain", "components", "tools"), Path("__main__.py")]
    found = [
        f"{path}:{line}: {word}"
        for path in files
        for line, text in (*literals(path), *comments(path))
        for word in banned_in(text)
    ]
    assert found == []


def test_no_page_has_a_banned_word() -> None:
    """Pages quote messages, which have none either."""
    found = [
        f"{page}:{number}: {word}"
        for page in pages()
        for number, line in enumerate((ROOT / page).read_text().splitlines(), 1)
        for word in banned_in(line)
    ]
    assert found == []


def test_each_file_name_occurs_once() -> None:
    """A name that is searched for finds one file."""
    places = defaultdict(list)
    for path in python_files("fleetcaptain", "components", "tools", "tests", "bench", "examples"):
        if path.name not in COMMON_NAMES:
            places[path.name].append(str(path))
    assert [paths for paths in places.values() if len(paths) > 1] == []


def headings(page: Path) -> list[str]:
    """The headings of a page; lines of code blocks are none."""
    text = re.sub(r"^ *```.*?^ *```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)


def test_a_heading_is_a_noun_or_a_task() -> None:
    """No question, and no sentence."""
    found = [f"{page}: {heading}" for page in pages() for heading in headings(page) if heading[-1] in "?.!"]
    assert found == []


def test_each_link_to_a_heading_leads_to_one() -> None:
    """By GitHub's rule for anchors."""
    anchors = {
        page.name: {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}
        for page in pages()
    }
    sources = [*pages(), Path("CHANGELOG.md"), Path("SECURITY.md"), Path("CONTRIBUTING.md")]
    found = [
        f"{source}: {page}#{anchor}"
        for source in sources
        for page, anchor in re.findall(r"\]\((?:docs/|\.\./)?([\w.-]*\.md|)#([\w-]+)\)", (ROOT / source).read_text())
        if anchor not in anchors.get(page or source.name, set())
    ]
    assert found == []
