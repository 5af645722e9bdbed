"""The SSH address of a machine. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

__all__ = ["Address"]

# Excludes every user and host that ssh or a shell would read as an option or a command.
_FORM = re.compile(r"(?:ssh://)?(?:([A-Za-z_][\w.-]*)@)?([A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?)/?")
_USER = "core"
_PORTS = range(1, 65536)


@dataclass(frozen=True)
class Address:
    """*user* at *host*, on *port* (0: ssh's own choice). Written ``user@host``, or ``ssh://user@host:port``."""

    user: str
    host: str
    port: int = 0

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse *text* in either form; the user defaults to ``core``. Raises ValueError."""
        match = _FORM.fullmatch(text)
        host, colon, port = (match.group(2) if match else "").partition(":")
        if match is None or (colon and (not port.isdecimal() or int(port) not in _PORTS)):
            raise ValueError(f"{text!r} must have the form ssh://user@host or ssh://user@host:port")
        return cls(match.group(1) or _USER, host, int(port or 0))

    @property
    def written(self) -> str:
        """The destination argument of ssh."""
        if not self.port:
            return f"{self.user}@{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{self.user}@{host}:{self.port}"
