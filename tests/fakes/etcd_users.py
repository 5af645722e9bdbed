"""etcd's authentication as its superuser sees it: users, roles, and whether it is on. It keeps no one out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FakeAccess"]

_AUTH = "/v2/auth/"


@dataclass
class FakeAccess:
    """*enabled* and *v3_enabled*: whether etcd requires a login. *users*: name -> roles. *passwords*: name -> what
    it was given last. *roles*: name -> ``read`` and ``write`` -> patterns."""

    enabled: bool = False
    v3_enabled: bool = False
    users: dict[str, list[str]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    roles: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a request for *path* is about this."""
        return path.startswith((_AUTH, "/v3/auth/"))

    def __call__(self, method: str, path: str, body: str) -> tuple[int, str]:
        """The status and text of the answer."""
        if path.startswith("/v3/"):
            return self._v3(path)
        part, _, name = path.removeprefix(_AUTH).partition("/")
        if method == "DELETE":
            return self._delete(part, name)
        return self._read(part, name) if method == "GET" else self._write(part, name, json.loads(body))

    def _v3(self, path: str) -> tuple[int, str]:
        """A request without a token; but one to turn it off is taken to have one."""
        if path == "/v3/auth/authenticate":
            return 200, '{"token": "a token"}'
        if path == "/v3/auth/disable":
            self.v3_enabled = False
        elif self.v3_enabled:
            return 400, "auth: user name is empty"
        self.v3_enabled = self.v3_enabled or path == "/v3/auth/enable"
        return 200, "{}"

    def _delete(self, part: str, name: str) -> tuple[int, str]:
        if part == "enable":
            self.enabled = False
            return 200, ""
        found: dict[str, Any] = self.users if part == "users" else self.roles
        return 200 if found.pop(name, None) is not None else 404, ""

    def _read(self, part: str, name: str) -> tuple[int, str]:
        if part == "enable":
            return 200, json.dumps({"enabled": self.enabled})
        if name not in (self.users if part == "users" else self.roles):
            return 404, ""
        return 200, json.dumps({"permissions": {"kv": self.roles.get(name)}})

    def _write(self, part: str, name: str, sent: dict[str, Any]) -> tuple[int, str]:
        if part == "enable":
            status, self.enabled = 409 if self.enabled else 200, True
            return status, ""
        if part == "users":
            self.users.setdefault(name, sent.get("roles", []))
            self.passwords[name] = sent["password"]
        elif not self._change(name, sent):
            return 409, ""
        return 200, "{}"

    def _change(self, name: str, sent: dict[str, Any]) -> bool:
        """Whether it was done: etcd refuses a change as a whole when one right is there already, or is not."""
        role = self.roles.setdefault(name, sent.get("permissions", {}).get("kv") or {"read": [], "write": []})
        changes = {
            kind: [set(sent.get(verb, {}).get("kv", {}).get(kind, ())) for verb in ("grant", "revoke")] for kind in role
        }
        if any(granted & {*role[kind]} or revoked - {*role[kind]} for kind, (granted, revoked) in changes.items()):
            return False
        for kind, (granted, revoked) in changes.items():
            role[kind] = sorted({*role[kind], *granted} - revoked)
        return True
