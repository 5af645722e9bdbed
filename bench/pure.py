"""Computations without a cluster: decisions, rendering, hashing, lookups."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.harness import Row, compared, seconds
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys import current_key, release_key
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.fleetfile.values import Http, Port, ServiceSpec
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Policy, RolloutState, Target
from fleetcaptain.rollout.sliding_window import decide
from fleetcaptain.schedule.window import WindowSpec, desired, time_zone
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.local.etcd.etcd_process import running
from tests.programs import program

__all__ = ["rows"]

_INSTANCES = 1000
_NEW = UnitFile.parse("[Service]\nExecStart=/bin/new\n")
_REGISTERED = 1000
_ZONES = ("America/Chicago", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata")
# In November 2026, so that both changes of the clocks are in the year.
_YEAR = range(1_795_750_000, 1_795_750_000 + 366 * 86400, 86400)


def rows() -> Iterator[Row]:
    """All of them."""
    yield deciding()
    yield rendering()
    yield scaling()
    with TemporaryDirectory() as folder, running(Path(folder), program("etcd")) as url:
        yield lookup(url)
        yield visibility(url)


def deciding() -> Row:
    """One decision over a thousand instances."""
    names = tuple(f"web@{number}.service" for number in range(_INSTANCES))
    half = {
        name: Instance(name, sha1, "launched", "launched", "10.0.0.1", sha1, "active", "running", sha1)
        for number, name in enumerate(names)
        for sha1 in (_NEW.unit_hash if number < _INSTANCES // 2 else "old",)
    }
    target = Target("web", names, _NEW)
    state = decide(half, target, Policy(), RolloutState(), 0).state

    def one() -> float:
        return seconds(lambda: [decide(half, target, Policy(), state, 1) for _ in range(20)]) / 20 * 1e6

    def copying() -> float:
        return seconds(lambda: [dict(half) for _ in range(20)]) / 20 * 1e6

    return compared("`decide` for 1,000 instances", one, "copying the mapping of them", copying, rounds=9, unit="µs")


def rendering() -> Row:
    """A thousand texts with their hashes."""
    specs = [
        ServiceSpec(f"web{number}", "A web", "web:1", ports=(Port(80, 8080, 8089),), ready=Http("/health"), instances=3)
        for number in range(_INSTANCES)
    ]

    def ours() -> float:
        return seconds(lambda: [render(spec, Mark("shop", "shop/dev", spec.name)).unit_hash for spec in specs])

    texts = [render(spec, Mark("shop", "shop/dev", spec.name)).text for spec in specs]

    def theirs() -> float:
        return seconds(lambda: [UnitFile.parse(text).unit_hash for text in texts])

    return compared("rendering and hashing 1,000 services", ours, "hashing their texts alone", theirs, rounds=5)


def scaling() -> Row:
    """How many instances each of a thousand services needs, once a day for a year: every day's windows are new."""
    windows = [
        WindowSpec("peak", 12, minute, minute + 60, (0, 1, 2, 3, 4), (), _ZONES[number % len(_ZONES)])
        for number in range(_INSTANCES)
        for minute in (number * 7 % 1380,)
    ]
    zones = [time_zone(window.timezone) for window in windows]

    def ours() -> float:
        year = seconds(lambda: [desired(4, [window], now, 180) for now in _YEAR for window in windows])
        return year / len(_YEAR) * 1e3

    def theirs() -> float:
        year = seconds(lambda: [datetime.fromtimestamp(now, zone).minute for now in _YEAR for zone in zones])
        return year / len(_YEAR) * 1e3

    what = "`desired` of 1,000 services, each day of a year"
    return compared(what, ours, "reading the local time of their windows' zones", theirs, rounds=5, unit="ms")


def lookup(url: str) -> Row:
    """One service among a thousand registrations."""
    api = KeysApi(url)
    for number in range(_REGISTERED):
        unit = f"web@{number}.service"
        value = {"service": "web", "unit": unit, "content": "c", "connection": {"host": "10.0.0.1", "port": number + 1}}
        api.put(f"/fleetcaptain/shop/services/web/{unit}", json.dumps(value), 600)
    store = EtcdStore(lambda: url)
    store.write(release_key("shop", "v1"), Release("v1", {"web": ServiceRelease("c", _REGISTERED)}).to_json())
    store.write(current_key("shop"), "v1")
    discovery = Discovery(Identity.from_environment({"FLEETCAPTAIN_ETCD": url, "FLEETCAPTAIN_APP": "shop"}))
    address = f"{url}/v2/keys/fleetcaptain/shop/services/web?recursive=true"

    def plain() -> object:
        with urllib.request.urlopen(address) as answer:  # noqa: S310  a loopback address
            return [json.loads(node["value"]) for node in json.load(answer)["node"]["nodes"]]

    return compared(
        "a lookup among 1,000 registrations",
        lambda: seconds(lambda: discovery.discover("web")),
        "a plain recursive GET, its values parsed",
        lambda: seconds(plain),
        rounds=15,
        goal=1.3,
    )


def visibility(url: str) -> Row:
    """The time from a registration until a watcher receives it."""
    environment = {"FLEETCAPTAIN_ETCD": url, "FLEETCAPTAIN_APP": "seen", "FLEETCAPTAIN_UNIT": "web@1.service"}
    environment |= {"FLEETCAPTAIN_SERVICE": "web", "FLEETCAPTAIN_CONTENT": "c", "FLEETCAPTAIN_HOST": "10.0.0.1"}
    environment |= {"FLEETCAPTAIN_KEY": "/fleetcaptain/seen/services/web/web@1.service", "FLEETCAPTAIN_MACHINE": "m"}
    discovery, api = Discovery(Identity.from_environment(environment)), KeysApi(url)
    store = EtcdStore(lambda: url)
    store.write(release_key("seen", "v1"), Release("v1", {"web": ServiceRelease("c", 1)}).to_json())
    store.write(current_key("seen"), "v1")

    def ours() -> float:
        changes = discovery.watch("web")
        next(changes)
        began = time.perf_counter()
        discovery.announce("web", {"host": "h", "port": 1})
        next(changes)
        took = time.perf_counter() - began
        discovery.unregister("web")
        return took

    def theirs() -> float:
        return seconds(lambda: (api.put("/plain/key", "x", 60), api.get("/plain/key")))

    return compared(
        "from `register` to `discover(watch=True)`", ours, "one write and one read", theirs, rounds=15, goal=3
    )
