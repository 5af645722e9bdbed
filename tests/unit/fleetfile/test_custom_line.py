"""A custom command line is one that systemd reads: it drops any other, and the unit with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fleetfile.written import mistakes, service

_KEYWORDS = ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload")
_UNREADABLE = "has a quote that does not end, and systemd drops such a line"
_REFUSED = {
    "bin/serve": "'bin/serve' is no program for systemd",
    "./serve --port 80": "'./serve' is no program for systemd",
    "-../serve": "'../serve' is no program for systemd",
    "/opt/serve/": "'/opt/serve/' is no program for systemd",
    ".": "'.' is no program for systemd",
    "-": "'' is no program for systemd",
    "'' x": "is no program for systemd",
    "x" * 256: "is no program for systemd",
    "@/bin/sh": "the prefix @ says that the next word",
    "/bin/date +%Q": '"%Q" is no specifier of systemd; write %% for a percent sign',
    "/bin/echo 100%": '"%" is no specifier of systemd',
    "/bin/sh -c 'echo": _UNREADABLE,
    '/bin/echo it"s': _UNREADABLE,
    "/bin/true ; bin/serve": "'bin/serve' is no program for systemd",
    "cd /opt && ./serve": "no shell, which '&&' is for; write /bin/sh -c '...'",
    "/bin/serve || true": "no shell, which '||' is for",
    "/bin/serve | /bin/tee /log": "no shell, which '|' is for",
    "/bin/serve >/log 2>&1": "no shell, which '>/log' is for",
    "/bin/serve 2>&1": "no shell, which '2>&1' is for",
    "/bin/sort < /in": "no shell, which '<' is for",
    "/bin/serve &": "no shell, which '&' is for",
    "/bin/sleep 5; /bin/true": "no shell, which '5;' is for",
    "/bin/echo `hostname`": "no shell, which '`hostname`' is for",
    "/bin/echo $(hostname -f)": "no shell, which '$(hostname' is for",
    "/bin/true # then": "no shell, which '#' is for",
    "PORT=80 bin/serve": "no shell, which 'PORT=80' is for",
    "-export PORT=80": "no shell, which 'export' is for",
    "exec /bin/serve": "no shell, which 'exec' is for",
}
_ACCEPTED = (
    "/bin/true",
    "-/bin/true",
    "@/bin/sh sh -c true",
    "+-/bin/true",
    "true",
    "%h/bin/serve",
    "/bin/date +%%Q %i",
    '"/opt/my serve" x',
    r"""/bin/echo \x41 \t 'a\'b' "it's" \\ x""",
    "/bin/sh -c 'while :; do sleep 1; done'",
    r"""/bin/sed 's/\.x//' \d "\x4" """.strip(),
    r"/usr/bin/find /data -exec rm {} \;",
    "/bin/true ; /bin/false ;",
    "/bin/sh -c 'a && b > c; echo $(d) `e` # f' \"| g\"",
    "/bin/kill -9 1 ; -/bin/true",
    "/bin/test 1 '>' 0",
    "/usr/bin/env PORT=80 /bin/serve",
    "/bin/curl http://127.0.0.1/?a=1&b=2 https://x/#y -d a;b ${A} $B",
)


@pytest.mark.parametrize("keyword", _KEYWORDS)
@pytest.mark.parametrize("line", _REFUSED)
def test_a_line_that_systemd_drops_is_refused(keyword: str, line: str, tmp_path: Path) -> None:
    """The keyword, the place in the line, and what to write."""
    (problem,) = mistakes(tmp_path, f'Service("web", image="a", {keyword}=[{line!r}])')
    assert f"{keyword}: " in problem
    assert _REFUSED[line] in problem


@pytest.mark.parametrize("line", _ACCEPTED)
def test_a_line_that_systemd_reads_is_taken_as_it_is(line: str, tmp_path: Path) -> None:
    """Prefixes, quotes, escapes and specifiers are systemd's."""
    assert service(tmp_path, f"before_start={line!r}").before_start == (line,)


def test_two_commands_in_one_start_are_for_a_task_only(tmp_path: Path) -> None:
    """systemd refuses the whole unit, which fleet can then neither stop nor unload."""
    line = 'start="/bin/true ; /bin/serve"'
    (problem,) = mistakes(tmp_path, f'Service("web", image="a", {line})')
    assert "start: a semicolon between blanks begins another command" in problem
    service(tmp_path, f"{line}, service={{'Type': 'oneshot'}}")
    service(tmp_path, r'start="/usr/bin/find / -exec rm {} \\;"')
