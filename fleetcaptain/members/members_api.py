"""etcd's list of members through its v2 API, which every port that serves keys has."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from fleetcaptain.members.member import Listed
from fleetcaptain.net.http_request import Ask

__all__ = ["MembersApi", "is_healthy"]

_PATH = "/v2/members"
_ADDED, _REMOVED = 201, 204


class MembersApi:
    """The list of members as seen by the member that *ask* reaches."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def listed(self) -> tuple[Listed, ...] | None:
        """The members that this one knows; None when it does not answer."""
        found = _parsed(self._ask("GET", _PATH, "")[1]).get("members")
        return tuple(map(_listed, found)) if found else None

    def healthy(self) -> bool:
        """Whether this member serves requests that need a quorum."""
        return is_healthy(self._ask("GET", "/health", "")[1])

    def add(self, peer_url: str) -> str:
        """Add a member to the list, before it starts. Returns why etcd refuses, "" on success."""
        return _refusal(_ADDED, *self._ask("POST", _PATH, json.dumps({"peerURLs": [peer_url]})))

    def remove(self, member_id: str) -> str:
        """Remove a member from the list. Returns why etcd refuses, "" on success."""
        return _refusal(_REMOVED, *self._ask("DELETE", f"{_PATH}/{member_id}", ""))


def is_healthy(answer: str) -> bool:
    """Whether a member that gave this *answer* to ``/health`` is healthy. Pure."""
    return _parsed(answer).get("health") == "true"


def _listed(data: dict[str, Any]) -> Listed:
    return Listed(data["id"], data["name"], urlsplit(data["peerURLs"][0]).hostname or "")


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _refusal(wanted: int, status: int, text: str) -> str:
    if status == wanted:
        return ""
    return str(_parsed(text).get("message") or text.strip()[:200] or "etcd does not answer")
