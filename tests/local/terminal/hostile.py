"""A program and a provider of ours that say, raise and give back what a container or etcd may have in it."""

from __future__ import annotations

import os
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider

from components.engine import diagnostics
from components.engine.abort import abort
from components.engine.dynamic_resource import PartialFailure, Resource, status, warn
from fleetcaptain.errors import RolloutFailed, StrayUnits
from fleetcaptain.units.quoting import exec_line

__all__ = ["ERRORS", "HOSTILE", "PROVIDERS", "SHOWN", "TEMPLATE", "declare"]

TEMPLATE = "<{% if a %}div{% endif %}>"
HOSTILE = (
    f"{TEMPLATE} \x1b]52;c;cm0=\x07 \x1b]0;title\x07 \x1b[41m \x9b41m \r \x7f \u202eabc\u2066 \u2028 \u200b \ud800 End"
)
SHOWN = (
    r"<{ % if a %}div{% endif %}> \x1b]52;c;cm0=\x07 \x1b]0;title\x07 \x1b[41m \x9b41m \r \x7f \u202eabc\u2066 \u2028 "
    r"\u200b \ud800 End"
)
ERRORS: dict[str, Exception] = {
    "whole": RolloutFailed(f"whole {HOSTILE}"),
    "half": PartialFailure("id", {"unit": HOSTILE}, f"half {HOSTILE}"),
    "other": ValueError(f"other {HOSTILE}"),
}
"""What the provider raises, by the name of its resource."""


class HostileProvider(ResourceProvider):
    """Says everything hostile in each operation; the names of `ERRORS` raise, any other one is created."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Warn."""
        warn(f"diff {HOSTILE}")
        return DiffResult()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Say it, and raise or give it back."""
        status(f"status {HOSTILE}")
        warn(f"warning {HOSTILE}")
        if props["name"] in ERRORS:
            raise ERRORS[props["name"]]
        return CreateResult("id", {**props, "endpoints": {"web": [f"endpoint {HOSTILE}"]}})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """As if another program had changed the unit."""
        inputs = {"name": props["name"], "unit": f"{props['unit']}Other={HOSTILE}\n"}
        return ReadResult(id_, {**props, **inputs}, inputs)


class Hostile(Resource):
    """A resource of `HostileProvider`."""

    endpoints: pulumi.Output[Any]

    def __init__(self, name: str) -> None:
        unit = f"[Service]\nExecStart=/bin/echo {exec_line([TEMPLATE])}\n"
        super().__init__("Hostile", name, {"name": name, "unit": unit, "endpoints": None})


PROVIDERS = {"Hostile": HostileProvider}


def declare() -> None:
    """The program: one resource, by the name in the environment."""
    name = os.environ["HOSTILE"]
    diagnostics.info(f"remark {HOSTILE}")
    diagnostics.warn(f"warned {HOSTILE}")
    if name == "refused":
        abort(StrayUnits("Units run:", [HOSTILE]))
    pulumi.export("endpoints", Hostile(name).endpoints)
