"""Requests to etcd through `docker exec`."""

from __future__ import annotations

import pytest

from fleetcaptain.localcluster import etcd_exec


@pytest.mark.parametrize(
    ("method", "outputs", "answer", "sent"),
    [
        ("GET", ["{}\n200"], (200, "{}"), 1),
        ("GET", ["", "{}\n200"], (200, "{}"), 2),
        ("GET", ["\n000", "", "no\n404"], (404, "no"), 3),
        ("GET", [""] * 3, (0, ""), 3),
        # It may have had its effect.
        ("PUT", [""], (0, ""), 1),
    ],
)
def test_a_read_without_an_answer_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, method: str, outputs: list[str], answer: tuple[int, str], sent: int
) -> None:
    """Three times in all."""
    left = list(outputs)
    monkeypatch.setattr(etcd_exec, "exec_in", lambda *_: (0, left.pop(0)))
    assert etcd_exec.exec_request(None, method, "/v2/keys") == answer
    assert len(outputs) - len(left) == sent
