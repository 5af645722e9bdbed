"""Sessions with the user's own streams: a terminal, and a connection that several of them share."""

from __future__ import annotations

from fleetcaptain.fleet.ssh import Endpoint, session_argv

ENDPOINT = Endpoint(("core@10.0.0.1", "core@10.0.0.2"), "id")


def values_of(argv: list[str], name: str) -> list[str]:
    """The values of an option, in their order; ssh takes the first."""
    return [word.removeprefix(f"{name}=") for word in argv if word.startswith(f"{name}=")]


def test_each_word_of_a_command_is_one_word_there() -> None:
    """Without a command it is a login shell."""
    assert session_argv(ENDPOINT, "core@10.0.0.2", ["echo", "a b"])[-3:] == ["--", "core@10.0.0.2", "echo 'a b'"]
    assert session_argv(ENDPOINT, "core@10.0.0.2")[-2:] == ["--", "core@10.0.0.2"]


def test_a_terminal_is_forced_after_the_option_against_it() -> None:
    """The last one counts."""
    argv = session_argv(ENDPOINT, "core@10.0.0.2", terminal=True)
    assert argv.index("-tt") > argv.index("-T")
    assert "-tt" not in session_argv(ENDPOINT, "core@10.0.0.2")


def test_two_sessions_share_a_connection() -> None:
    """The first one makes it. No other session shares it, nor any that the user's settings share."""
    first = session_argv(ENDPOINT, "core@10.0.0.2", shared="/t/s%", shares=True)
    second = session_argv(ENDPOINT, "core@10.0.0.2", shared="/t/s%")
    assert [values_of(argv, "ControlMaster")[0] for argv in (first, second)] == ["yes", "no"]
    assert [values_of(argv, "ControlPath")[0] for argv in (first, second)] == ["/t/s%%"] * 2
    assert values_of(session_argv(ENDPOINT, "core@10.0.0.2"), "ControlPath") == ["none"]


def test_a_machine_inside_is_reached_through_the_host_that_answers() -> None:
    """As a command is."""
    inside = Endpoint(ENDPOINT.hosts, inside=True)
    argv = session_argv(inside, "core@10.71.0.50", ["true"], via=inside.hosts[1], shared="/t/s")
    assert inside.hosts[1] in values_of(argv, "ProxyCommand")[0]
