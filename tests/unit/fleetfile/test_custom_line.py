"""A custom command line is one that systemd reads: it drops any other, and the unit with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fleetfile.written import mistakes, service

_KEYWORDS = ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload")
_UNREADABLE = "has an unbalanced quote, so systemd would drop the line"
_REFUSED = {
    "bin/serve": "'bin/serve' is not a program that systemd can run",
    "./serve --port 80": "'./serve' is not a program that systemd can run",
    "-../serve": "'../serve' is not a program that systemd can run",
    "/opt/serve/": "'/opt/serve/' is not a program that systemd can run",
    ".": "'.' is not a program that systemd can run",
    "-": "'' is not a program that systemd can run",
    "'' x": "is not a program that systemd can run",
    "x" * 256: "is not a program that systemd can run",
    "@/bin/sh": "the prefix @ requires a second word",
    "/bin/date +%Q": '"%Q" is not a systemd specifier; write %% for a percent sign',
    "/bin/echo 100%": '"%" is not a systemd specifier',
    "/bin/sh -c 'echo": _UNREADABLE,
    '/bin/echo it"s': _UNREADABLE,
    "/bin/true ; bin/serve": "'bin/serve' is not a program that systemd can run",
    "cd /opt && ./serve": "'&&' is shell syntax, but systemd runs the program without a shell; write /bin/sh -c '...'",
    "/bin/serve || true": "'||' is shell syntax",
    "/bin/serve | /bin/tee /log": "'|' is shell syntax",
    "/bin/serve >/log 2>&1": "'>/log' is shell syntax",
    "/bin/serve 2>&1": "'2>&1' is shell syntax",
    "/bin/sort < /in": "'<' is shell syntax",
    "/bin/serve &": "'&' is shell syntax",
    "/bin/sleep 5; /bin/true": "'5;' is shell syntax",
    "/bin/echo `hostname`": "'`hostname`' is shell syntax",
    "/bin/echo $(hostname -f)": "'$(hostname' is shell syntax",
    "/bin/true # then": "'#' is shell syntax",
    "PORT=80 bin/serve": "'PORT=80' is shell syntax",
    "-export PORT=80": "'export' is shell syntax",
    "exec /bin/serve": "'exec' is shell syntax",
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
