"""A ``.dockerignore`` is read as docker reads it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from fleetcaptain.fleetfile.dockerignore import excludes, is_sent


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        ([".fleetcaptain"], ".fleetcaptain", True),
        (["/.fleetcaptain/ "], ".fleetcaptain", True),
        (["./.fleetcaptain"], ".fleetcaptain", True),
        (["**/.fleetcaptain"], "captain/.fleetcaptain", True),
        (["captain"], "captain/.fleetcaptain", True),
        ([".fleetcaptain/**"], ".fleetcaptain", True),
        ([".*"], ".fleetcaptain", True),
        (["*"], "captain/.fleetcaptain", True),
        (["**"], ".fleetcaptain", True),
        (["*", "!src", "!README.md"], ".fleetcaptain", True),
        ([], ".fleetcaptain", False),
        (["# .fleetcaptain"], ".fleetcaptain", False),
        ([".fleetcaptain"], "captain/.fleetcaptain", False),
        ([".fleetcaptain/dev"], ".fleetcaptain", False),
        (["*.md"], ".fleetcaptain", False),
        (["[.]fleetcaptain"], ".fleetcaptain", True),
        (["[.fleetcaptain"], ".fleetcaptain", False),
        ([".fleetcaptain/*"], ".fleetcaptain", True),
        (["*", "!.fleetcaptain/dev"], ".fleetcaptain", False),
        (["*", "!captain"], "captain/.fleetcaptain", False),
        ([".fleetcaptain", "!**/id_ed25519"], ".fleetcaptain", False),
        (["!**/*.md", ".fleetcaptain"], ".fleetcaptain", True),
        (["*", "!src/**/*.py"], ".fleetcaptain", True),
        (["*", "!captain/*/id"], "captain/.fleetcaptain", False),
        (["*", "!.fleet*/id"], ".fleetcaptain", False),
    ],
)
def test_a_dockerignore_is_read_on_the_safe_side(lines: list[str], path: str, excluded: bool) -> None:
    """What might be sent counts as sent."""
    assert excludes(lines, PurePosixPath(path)) is excluded


@pytest.mark.parametrize(
    ("lines", "sent", "left"),
    [
        ([], ("a", "a/b"), ()),
        (["*"], (), ("a", "a/b", ".a")),
        (["**"], (), ("a", "a/b")),
        (["*", "!src"], ("src/a", "src/b/c"), ("a", "b/src/c")),
        (["*", "!src", "src/**/*.pyc"], ("src/a.py",), ("src/a.pyc", "src/b/c/d.pyc")),
        (["**/__pycache__"], ("a.pyc",), ("__pycache__/a", "a/b/__pycache__/c")),
        (["*.py[cod]"], ("a.py", "a/b.pyc"), ("a.pyc", "b.pyo")),
        (["**/*.py[cod]"], ("a.py",), ("a.pyc", "a/b.pyc")),
        (["**/[a-c]?"], ("d1", "a"), ("a1", "x/c2")),
        (["a[^x]"], ("ax",), ("ay",)),
        (["node_modules", "!node_modules/mine"], ("node_modules/mine/a",), ("node_modules/a",)),
        (["!a", "a"], ("b",), ("a",)),
        (["*.md", "!README*.md", "README-secret.md"], ("README.md", "a/b.md"), ("b.md", "README-secret.md")),
        (["a/**"], ("a", "ab/c"), ("a/b", "a/b/c")),
        (["**file"], ("filex",), ("file", "myfile", "a/myfile")),
        (["a**/*.txt"], ("b.txt",), ("a/f.txt", "a/b/f.txt")),
        (["/a/", "./b", "c/../d", " e "], ("c/x",), ("a/x", "b", "d", "e")),
        (["#a", " #b", "", "!"], ("#a", "a"), ("#b",)),
        (["a\\*b"], ("axb",), ("a*b",)),
        (["a.b", "c+d", "e(f)", "g$"], ("axb", "ccd"), ("a.b", "c+d", "e(f)", "g$")),
        (["[a"], ("a", "[a"), ()),
        (["\u00fc*"], ("u",), ("\u00fcx",)),
    ],
)
def test_a_dockerignore_decides_of_each_file(lines: list[str], sent: tuple[str, ...], left: tuple[str, ...]) -> None:
    """As docker's own matcher does."""
    assert {path: is_sent(lines, PurePosixPath(path)) for path in (*sent, *left)} == {
        **dict.fromkeys(sent, True),
        **dict.fromkeys(left, False),
    }
