"""etcd's answers about its members, as 3.5 gives them."""

from __future__ import annotations

import json

import pytest

from fleetcaptain.members.member import Listed
from fleetcaptain.members.members_api import MembersApi

M1 = {"id": "d2", "name": "m1", "peerURLs": ["https://10.0.0.11:2380"], "clientURLs": ["https://10.0.0.11:2378"]}
NEW = {"id": "e3", "name": "", "peerURLs": ["http://10.0.0.12:2380"], "clientURLs": []}


def answering(status: int, text: str) -> MembersApi:
    """Whatever is asked."""
    return MembersApi(lambda *_: (status, text))


def test_the_list_says_who_has_joined_and_where() -> None:
    """One that was added and has not started has no name."""
    listed = answering(200, json.dumps({"members": [M1, NEW]})).listed()
    assert listed == (Listed("d2", "m1", "10.0.0.11"), Listed("e3", "", "10.0.0.12"))


@pytest.mark.parametrize("text", ["", "curl: (7)", "[]", "[" * 200_000, '{"message": "no leader"}', '{"members": []}'])
def test_who_does_not_answer_has_no_list(text: str) -> None:
    """Which is not an empty one."""
    assert answering(0, text).listed() is None


@pytest.mark.parametrize(("text", "healthy"), [('{"health":"true"}', True), ('{"health":"false"}', False), ("", False)])
def test_health_is_what_needs_a_quorum(text: str, healthy: bool) -> None:
    """As etcd says it: a word, not a truth value."""
    assert answering(200, text).healthy() is healthy


def test_a_change_that_is_done_says_nothing() -> None:
    """A removal answers with nothing at all."""
    assert answering(201, json.dumps(NEW)).add("http://10.0.0.12:2380") == ""
    assert answering(204, "").remove("d2") == ""


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (500, '{"message":"etcdserver: unhealthy cluster"}', "etcdserver: unhealthy cluster"),
        (503, "no leader", "no leader"),
        (0, "", "etcd does not answer"),
    ],
)
def test_a_change_that_is_not_done_says_why(status: int, text: str, why: str) -> None:
    """In etcd's own words, if there are any."""
    assert answering(status, text).add("http://10.0.0.12:2380") == why
    assert answering(status, text).remove("d2") == why
