"""Turning etcd's authentication on in a local cluster."""

from __future__ import annotations

import pytest

from fleetcaptain.discovery.access import Access
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.localcluster.local_reconcile import secure
from tests.fakes.etcd_users import FakeAccess

_WRITES = ("/v2/auth/roles/fleet", "/v2/auth/users/root", "/v2/auth/roles/guest", "/v2/auth/enable")


@pytest.mark.parametrize("lost", _WRITES)
def test_an_answer_that_docker_loses_does_not_end_it(lost: str) -> None:
    """The write had its effect, or not: what there is decides."""
    etcd, left = FakeAccess(), [lost]

    def ask(method: str, path: str, body: str) -> tuple[int, str]:
        if not FakeAccess.serves(path):
            return 404, ""
        answer = etcd(method, path, body)
        if method == "PUT" and path in left:
            left.remove(path)
            return 0, ""
        return answer

    secure(Access(ask), ["/feeds"])
    assert not left
    assert etcd.enabled
    assert etcd.roles["guest"]["write"] == ["/feeds/*"]


def test_etcd_that_refuses_ends_it() -> None:
    """After three tries."""
    asked: list[str] = []

    def ask(method: str, path: str, _body: str) -> tuple[int, str]:
        asked.append(path)
        return (404, "") if method == "GET" else (500, "no leader")

    with pytest.raises(FleetCaptainError, match="no leader"):
        secure(Access(ask), [])
    assert asked.count("/v2/auth/roles/fleet") == 6
