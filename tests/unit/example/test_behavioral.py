"""The example app: its Fleetfile, and what its servers and workers do with redis."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fleetcaptain.fleetfile import load

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "behavioral"


@pytest.fixture
def behavioral(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The example's modules; it is no part of our own packages."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield {name: importlib.import_module(f"behavioral.{name}") for name in ("discovery", "server", "worker")}
    for name in [name for name in sys.modules if name.partition(".")[0] == "behavioral"]:
        del sys.modules[name]


class Redis:
    """The lists and the counter that the example keeps in redis."""

    def __init__(self) -> None:
        self.visits = 0
        self.lists: dict[str, list[str]] = {}
        self.down = False

    def call(self, command: str, *args: Any) -> Any:
        """One command."""
        if self.down:
            raise ConnectionError("redis is away")
        return getattr(self, command.lower())(*args)

    def ping(self) -> bool:
        """Whether it is there."""
        return True

    def incr(self, _key: str) -> int:
        """One more."""
        self.visits += 1
        return self.visits

    def lpush(self, key: str, value: str) -> None:
        """Before the others."""
        self.lists.setdefault(key, []).insert(0, value)

    def lrange(self, key: str, first: int, last: int) -> list[str]:
        """From *first* to *last*."""
        return self.lists.get(key, [])[first : last + 1]

    def ltrim(self, key: str, first: int, last: int) -> None:
        """No others."""
        self.lists[key] = self.lists[key][first : last + 1]

    def brpop(self, key: str, _seconds: int) -> tuple[str, str] | None:
        """The last one."""
        return (key, self.lists[key].pop()) if self.lists.get(key) else None


def test_its_fleetfile_is_the_app_of_its_readme() -> None:
    """Service by service, with so many instances."""
    rows = [line.split("|") for line in (EXAMPLE / "README.md").read_text().splitlines() if line.startswith("| `")]
    told = {row[1].strip().strip("`"): int(row[2].strip()[0]) for row in rows}
    assert told == {spec.name: spec.instances for spec in load(EXAMPLE).services}


def test_each_visit_is_counted_and_its_job_done(behavioral: dict[str, ModuleType]) -> None:
    """The queues take turns; the results name who did it, newest first."""
    store, server, worker = Redis(), behavioral["server"], behavioral["worker"]
    visits = [server.answer("/", store, "app_server@1.service") for _ in range(4)]
    assert [(status, body["visits"]) for status, body in visits] == [(200, 1), (200, 2), (200, 3), (200, 4)]
    for queue in server.QUEUES:
        while worker.step(store, queue, f"{queue}@1.service"):
            pass
    _, results = server.answer("/results", store, "")
    assert {entry["visit"]: entry["by"] for entry in results} == {
        1: "ongoing@1.service",
        2: "important@1.service",
        3: "ongoing@1.service",
        4: "important@1.service",
    }


def test_a_server_without_redis_says_that_it_is_not_ready(behavioral: dict[str, ModuleType]) -> None:
    """And goes on; what it does not know is 404."""
    store, server = Redis(), behavioral["server"]
    assert server.answer("/health", store, "") == (200, {"ok": True})
    assert server.answer("/nothing", store, "")[0] == 404
    store.down = True
    assert server.answer("/health", store, "") == (503, {"error": "redis is away"})
    assert server.answer("/alive", store, "") == (200, {"ok": True})


def test_the_youngest_redis_that_stays_is_the_one(behavioral: dict[str, ModuleType]) -> None:
    """Not the one that is about to go, however young."""

    def node(host: str, since: str, **more: object) -> dict[str, str]:
        return {"value": json.dumps({"connection": {"host": host, "port": "1"}, "since": since, **more})}

    answer = {"node": {"nodes": [node("old", "1"), node("young", "2"), node("going", "3", draining=True)]}}
    assert behavioral["discovery"].newest(answer) == ("young", 1)
    assert behavioral["discovery"].newest({"node": {"dir": True}}) is None


def test_a_redis_that_cannot_be_found_is_asked_for_again_and_then_named(behavioral: dict[str, ModuleType]) -> None:
    """The caller decides what to do without it."""
    pauses: list[float] = []
    environment = {"FLEETCAPTAIN_ETCD": "http://127.0.0.1:1", "FLEETCAPTAIN_APP": "behavioral"}
    with pytest.raises(LookupError, match="Could not find redis"):
        behavioral["discovery"].find("redis", environment, pauses.append)
    assert len(pauses) == 4
