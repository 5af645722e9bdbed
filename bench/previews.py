"""The time of a preview of many services, compared with Pulumi's own share."""

from __future__ import annotations

from collections.abc import Iterator

from bench.bare import bare_preview
from bench.bench_cluster import Site, fleetfile
from bench.harness import Row, compared, seconds

__all__ = ["rows"]

_SERVICES, _INSTANCES = 100, 3


def rows(site: Site) -> Iterator[Row]:
    """A preview of an app of 100 services of three instances, without a change."""
    (site.stack.app / "Fleetfile.py").write_text(fleetfile(_SERVICES, _INSTANCES))
    site.stack.up()
    snapshot = site.cluster.snapshot()
    text = snapshot.units["s0@1.service"].text
    with bare_preview(_SERVICES, text) as bare:
        yield compared(
            f"a preview of {_SERVICES} services of {_INSTANCES}",
            lambda: seconds(lambda: site.stack.must("preview")),
            f"a preview of {_SERVICES} dynamic resources that do nothing",
            bare,
            rounds=3,
            goal=3,
        )
