"""What of a release is sealed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.mode import Mode
from fleetcaptain.release.seal import seal

WEB = ServiceRelease(
    "c" * 40, 2, "shop@sha256:1", Mode.ROLLING, {"min_healthy_sec": 10, "auto_revert": True}, ("db",), "http"
)
KNOWN = Release("v1", {"web": WEB}, "ann@laptop", "2030-01-01", True)


@pytest.mark.parametrize(
    "change",
    [
        {"unit_hash": "d" * 40},
        {"count": 3},
        {"image": "shop@sha256:2"},
        {"mode": Mode.BLUE_GREEN},
        {"rollout": {"min_healthy_sec": 0, "auto_revert": True}},
        {"requires": ()},
        {"scheme": "tcp"},
    ],
)
def test_whatever_going_back_deploys_is_sealed(change: dict[str, Any]) -> None:
    """A changed record is another one."""
    assert seal(replace(KNOWN, services={"web": replace(WEB, **change)})) != seal(KNOWN)
    assert seal(replace(KNOWN, services={"web": WEB, "db": WEB})) != seal(KNOWN)
    assert seal(replace(KNOWN, tag="v2")) != seal(KNOWN)


def test_what_changes_by_itself_is_not_sealed() -> None:
    """Who, when, whether it was available once, the numbers as Pulumi keeps them, and the number of machines."""
    assert seal(replace(KNOWN, who="bob", when="", unfinished=False)) == seal(KNOWN)
    floats = replace(WEB, rollout={"min_healthy_sec": 10.0, "auto_revert": True})
    assert seal(replace(KNOWN, services={"web": floats})) == seal(KNOWN)
    everywhere = replace(WEB, mode=Mode.PER_MACHINE)
    grown = replace(everywhere, count=5)
    assert seal(replace(KNOWN, services={"web": everywhere})) == seal(replace(KNOWN, services={"web": grown}))
