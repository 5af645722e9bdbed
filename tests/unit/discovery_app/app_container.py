"""What a container of the pretended app is told, and what its machine knows."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["CONTENT", "KEY", "MACHINE", "RUN", "UNIT", "environment", "of_the_unit"]

UNIT, MACHINE, CONTENT, RUN = "web@1.service", "machine-a", "c0ffee" * 6 + "c0ff", "0123abcd"
KEY = f"/fleetcaptain/shop/services/web/{UNIT}"


def environment(etcd_url: str) -> dict[str, str]:
    """The variables that the unit's run line gives to its container."""
    return {
        "FLEETCAPTAIN_APP": "shop",
        "FLEETCAPTAIN_SERVICE": "web",
        "FLEETCAPTAIN_UNIT": UNIT,
        "FLEETCAPTAIN_MACHINE": MACHINE,
        "FLEETCAPTAIN_KEY": KEY,
        "FLEETCAPTAIN_CONTENT": CONTENT,
        "FLEETCAPTAIN_RUN": RUN,
        "FLEETCAPTAIN_HOST": "10.0.0.1",
        "FLEETCAPTAIN_ETCD": etcd_url,
    }


def of_the_unit(service: str = "web", unit: str = "", **more: Any) -> str:
    """A registration as the first unit of *service* writes it, or as *unit* does."""
    unit = unit or f"{service}@1.service"
    members = {"service": service, "unit": unit, "content": CONTENT, "machine": MACHINE, "host": "10.0.0.1"}
    return json.dumps({**members, "connection": {"host": "10.0.0.1", "port": 80}, **more}, separators=(",", ":"))
