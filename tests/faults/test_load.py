"""Requests under a constant load through discovery, while a service is replaced blue/green."""

from __future__ import annotations

import itertools
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity
from tests.e2e.stack import Stack

_CLIENTS = 4
_PAUSE_SEC = 0.02
_ROLLING = "rollout=Rolling(min_healthy_sec=2)"
_BLUE_GREEN = "rollout=BlueGreen(min_healthy_sec=2, keep_old_sec=5)"


@contextmanager
def load(stack: Stack) -> Iterator[tuple[list[str], list[str]]]:
    """Clients that look the servers up before each request: (what was answered, what was lost)."""
    with stack.as_guest_of_etcd() as url:
        yield from _load(Identity.from_environment({"FLEETCAPTAIN_ETCD": url, "FLEETCAPTAIN_APP": "behavioral"}))


def _load(identity: Identity) -> Iterator[tuple[list[str], list[str]]]:
    answered: list[str] = []
    lost: list[str] = []
    done = threading.Event()

    def client() -> None:
        discovery = Discovery(identity)
        for turn in itertools.count():
            if done.wait(_PAUSE_SEC):
                return
            address = "no instance"
            try:
                found = discovery.discover("app_server")
                address = found[turn % len(found)].address
                with urllib.request.urlopen(f"http://{address}/health", timeout=5) as answer:
                    answered.append(str(answer.status))
            except Exception as error:  # whatever it is, the request was lost
                lost.append(f"{address}: {error!r}")

    clients = [threading.Thread(target=client) for _ in range(_CLIENTS)]
    for one in clients:
        one.start()
    try:
        yield answered, lost
    finally:
        done.set()
        for one in clients:
            one.join()


def test_not_one_request_is_lost_while_a_service_is_replaced_blue_green(stack: Stack) -> None:
    """Old and new overlap: the old ones answer until nobody knows them any more."""
    colours = {"import Build, Fleetfile, Http, Rolling,": "import BlueGreen, Build, Fleetfile, Http,"}
    with stack.edited("Fleetfile.py", {**colours, _ROLLING: _BLUE_GREEN}):
        stack.up()
        generation = {name for name in stack.cluster().snapshot().units if name.startswith("app_server-")}
        with load(stack) as (answered, lost), stack.edited("Fleetfile.py", {"restart_sec=5,": "restart_sec=6,"}):
            stack.up()
        after = {name for name in stack.cluster().snapshot().units if name.startswith("app_server-")}
    assert len(generation) == len(after) == 4
    assert not generation & after
    assert lost == []
    assert len(answered) > 100
    stack.up()
    stack.rests()
