"""What answers inside of a local cluster's machines: etcd's members, fleet, systemd. A machine is a fake container."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fleetcaptain.localcluster.docker_client import ROLE
from tests.fakes.etcd_users import FakeAccess
from tests.fakes.fake_docker import Container, FakeDocker

__all__ = ["PROGRAMS", "FakeMachines", "write_programs"]

PROGRAMS = ("etcd", "fleetctl", "fleetd")
# The header of a program for Linux on x86-64.
_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00"
_ETCD_UNIT = "/etc/systemd/system/etcd.service"


def write_programs(folder: Path) -> Path:
    """A *folder* with a stand-in for each program of a machine."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        (folder / name).write_bytes(_ELF + f"the program {name}".encode())
    return folder


@dataclass
class FakeMachines:
    """The insides of all machines of *docker*.

    *listed*: etcd's members, address -> [id, name]. *metadata*: machine id -> fleet's metadata. *values*: etcd's keys
    -> (value, index). *drained*: the machines whose fleet was stopped, in order. *dead*: names of machines on which
    fleet does not answer. *failing*: what curl ends with, and prints, when fleet's API is asked next.
    *access*: etcd's authentication.
    """

    docker: FakeDocker = field(default_factory=FakeDocker)
    listed: dict[str, list[str]] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    values: dict[str, tuple[str, int]] = field(default_factory=dict)
    drained: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    failing: list[tuple[int, str]] = field(default_factory=list)
    access: FakeAccess = field(default_factory=FakeAccess)
    _count: int = 0

    def __post_init__(self) -> None:
        self.docker.answer = self._answer

    @property
    def members(self) -> list[str]:
        """The names of etcd's members."""
        self._join()
        return sorted(name for _, name in self.listed.values())

    def _answer(self, container: Container, argv: list[str]) -> tuple[int, str]:
        name = container.name.rpartition("-")[2]
        if argv[:2] == ["systemctl", "stop"]:
            self.drained.append(name)
            return 0, ""
        if argv[0] == "journalctl":
            return 0, f"the journal of {name}"
        assert argv[0] == "curl" or argv[:2] == ["sh", "-c"]
        url = urlsplit(next(word for word in argv if word.startswith("http://")))
        method = argv[argv.index("-X") + 1] if "-X" in argv else "GET"
        body = argv[argv.index("-d") + 1] if "-d" in argv else ""
        if argv[0] == "curl":
            return self._fleet(name, method, body)
        if url.path.startswith("/v2/keys"):
            status, answer = 200, self._keys(method, url.path.removeprefix("/v2/keys"))
        elif FakeAccess.serves(url.path):
            status, answer = self.access(method, url.path, body)
        else:
            status, answer = self._etcd(container, method, url.path, body)
        return 0, f"{answer}\n{status}"

    def _fleet(self, name: str, method: str, body: str) -> tuple[int, str]:
        if name in self.dead:
            return 7, ""
        if self.failing:
            return self.failing.pop(0)
        if method == "PATCH":
            for change in json.loads(body):
                _, machine_id, _, key = change["path"].split("/")
                metadata = self.metadata.setdefault(machine_id, {})
                if change["op"] == "remove":
                    del metadata[key]
                else:
                    metadata[key] = change["value"]["value"]
            return 0, ""
        ids = [one.files["/etc/machine-id"].decode().strip() for one in self._running()]
        return 0, json.dumps({"machines": [{"id": id_, "metadata": self.metadata.get(id_)} for id_ in ids]})

    def _keys(self, method: str, key: str) -> str:
        if method == "DELETE":
            self.values.pop(key, None)
            return "{}"
        nodes = [{"key": name, "value": text, "modifiedIndex": index} for name, (text, index) in self.values.items()]
        return json.dumps({"node": {"dir": True, "nodes": nodes}})

    def _etcd(self, container: Container, method: str, path: str, body: str) -> tuple[int, str]:
        self._join()
        if container.address not in self.listed:
            return 0, ""
        if path == "/health":
            running = {one.address for one in self._running()}
            decisive = len(running & self.listed.keys()) > len(self.listed) // 2
            return 200, json.dumps({"health": "true" if decisive else "false"})
        if method == "POST":
            address = urlsplit(json.loads(body)["peerURLs"][0]).hostname or ""
            self._count += 1
            self.listed[address] = [f"new-{self._count}", ""]
            return 201, "{}"
        if method == "DELETE":
            gone = next(address for address, (id_, _) in self.listed.items() if path.endswith(f"/{id_}"))
            del self.listed[gone]
            return 204, ""
        return 200, json.dumps({"members": [self._listed(address) for address in self.listed]})

    def _listed(self, address: str) -> dict[str, Any]:
        id_, name = self.listed[address]
        return {"id": id_, "name": name, "peerURLs": [f"http://{address}:2380"]}

    def _join(self) -> None:
        """Members that have started are on the list by name; the first ones put themselves on it."""
        for one in self._running():
            unit = one.files[_ETCD_UNIT].decode()
            cluster = re.search(r"ETCD_INITIAL_CLUSTER=(\S+)", unit)
            if cluster is None or f"{one.name}-etcd" not in one.volumes:
                continue
            if not self.listed:
                pairs = [pair.partition("=") for pair in cluster[1].split(",")]
                self.listed |= {str(urlsplit(url).hostname): [f"id-{name}", name] for name, _, url in pairs}
            elif one.address in self.listed:
                self.listed[one.address][1] = one.name.rpartition("-")[2]

    def _running(self) -> list[Container]:
        machines = [one for one in self.docker.made.values() if one.labels[ROLE] == "machine"]
        return [one for one in machines if one.status == "running"]
