"""The maintenance of a service as a document in etcd: its instances run and are out of discovery."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from fleetcaptain.untrusted import WORD, json_object

__all__ = ["Maintenance"]


@dataclass(frozen=True)
class Maintenance:
    """The maintenance of a service: *who* began it, *since* when (ISO 8601, UTC)."""

    who: str
    since: str

    def __str__(self) -> str:
        return f"by {self.who} since {self.since}"

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Maintenance:
        """Parse *text*. Raises Unreadable."""
        fields = json_object(text)
        return cls(fields.text("who"), fields.text("since", WORD))
