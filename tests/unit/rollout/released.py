"""An app of two services, web and db, in two releases, and clusters on which it runs."""

from __future__ import annotations

from collections.abc import Mapping

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, release_key
from fleetcaptain.mode import Mode
from tests.fakes.fake_cluster import APP, FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

__all__ = ["BOTH", "DB1", "DB2", "V1", "V2", "WEB1", "WEB2", "released"]

WEB1, WEB2 = text_of("web"), text_of("web", restart_sec=9)
DB1, DB2 = text_of("db"), text_of("db", restart_sec=9)


def _manifest(tag: str, web: str, db: str, *, unfinished: bool = False) -> Release:
    services = {
        "web": ServiceRelease(unit_hash(web), 1, requires=("db",)),
        "db": ServiceRelease(unit_hash(db), 1, mode=Mode.BLUE_GREEN, rollout={"keep_old_sec": 7}),
    }
    return Release(tag, services, unfinished=unfinished)


V1, V2 = _manifest("v1", WEB1, DB1), _manifest("v2", WEB2, DB2, unfinished=True)


def released(units: Mapping[str, str], current: str, *manifests: Release) -> FakeCluster:
    """A cluster on which *units* run, with the records of *manifests*, of which that of *current* is current."""
    cluster = FakeCluster(units, delay=0)
    for manifest in manifests:
        cluster.store.write(release_key(APP, manifest.tag), manifest.to_json())
    cluster.store.write(current_key(APP), current)
    return cluster


BOTH = {"web@1.service": WEB1, "db-1@1.service": DB1, "db-2@1.service": DB2}
