"""A stack of the real program, driven as a user drives it, in a Pulumi state of its own."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.cluster.handles import handle_of
from fleetcaptain.localcluster.consent import LOSE_DATA
from fleetcaptain.localcluster.docker_client import find
from fleetcaptain.localcluster.machines import remove_all
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.units.data_anchor import is_anchor_name
from tests.e2e.example import example
from tests.e2e.leftovers import give_identity, identity_of, note, resources_of
from tools.attributes import drop_empty_attributes
from tools.locks import drop_dead_locks

__all__ = ["ROOT", "Result", "Stack", "stack_name"]

ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_SEC = 600


def stack_name(kind: str = "e2e") -> str:
    """The name of this worker's stack of a *kind*."""
    return f"{kind}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit *code* and all that it said."""

    code: int
    output: str

    @property
    def counts(self) -> dict[str, int]:
        """The summary: ``{"created": 14}``, ``{"updated": 1, "unchanged": 13}``."""
        resources = self.output.partition("Resources:")[2]
        return {
            word: int(number) for number, word in re.findall(r"(\d+) (created|updated|unchanged|deleted)", resources)
        }

    @property
    def error(self) -> str:
        """What it says at its end about what went wrong."""
        return self.output.partition("Diagnostics:")[2]


@dataclass
class Stack:
    """The stack *name* of the checkout *root* with the app in the folder *app*; *home* holds its state and settings.
    *begins_with*: the changes of the example's Fleetfile (old text -> new text) with which each test begins.
    *identity*: what its containers are labelled with."""

    name: str
    app: Path
    home: Path
    config: dict[str, str] = field(default_factory=dict)
    begins_with: Mapping[str, str] = field(default_factory=dict)
    root: Path = ROOT
    identity: str = field(init=False, default="")
    _as_made: str = field(init=False, default="")
    _is_fresh: bool = field(init=False, default=True)
    _connection: dict[str, Any] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.identity = identity_of(self.name, self.root)
        usual = self.root / f"Pulumi.{self.name}.yaml"
        note(self.identity, self.folder, usual)
        remove_all(self.identity)  # what a run that was cut off left
        self.home.mkdir(parents=True, exist_ok=True)
        self.must("stack", "init", self.name)
        # Only this command insists on the file's usual place.
        usual.replace(self.settings)
        settings = {"project": str(self.app), **self.config}
        pairs = [word for key, value in settings.items() for word in ("--plaintext", f"fleetcaptain:{key}={value}")]
        self.must("config", "set-all", *pairs)
        self._as_made = self.settings.read_text()

    def in_checkout(self, root: Path) -> Stack:
        """The same stack as a moved or copied checkout *root* has it, in which its state is, too."""
        other = copy.copy(self)
        other.root, other.home = root, root / self.home.relative_to(self.root)
        return other

    @property
    def folder(self) -> Path:
        """Where the program keeps the stack's keys."""
        return self.root / ".fleetcaptain" / self.name

    @property
    def settings(self) -> Path:
        """Its configuration file."""
        return self.home / "Pulumi.yaml"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a shell in which the stack is worked with."""
        ours = {"PULUMI_BACKEND_URL": f"file://{self.home}", "PULUMI_CONFIG_PASSPHRASE": "", LOSE_DATA: "all"}
        return {**os.environ, **ours, "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def captain(self, *argv: str) -> Result:
        """Run ``captain`` with *argv* on this stack."""
        done = subprocess.run(
            ["captain", *argv, "--stack", self.name],
            cwd=self.root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SEC,
            check=False,
        )
        return Result(done.returncode, done.stdout)

    def run(self, *argv: str, **more: str) -> Result:
        """Run ``pulumi`` with *argv*; *more* is added to its environment."""
        with self.start(*argv, **more) as process:
            output, _ = process.communicate(timeout=_TIMEOUT_SEC)
        return Result(process.returncode, output)

    def start(self, *argv: str, **more: str) -> subprocess.Popen[str]:
        """Start ``pulumi`` with *argv* in a session of its own, its output in one pipe."""
        if argv[0] in ("up", "destroy"):
            self._connection = None
        if argv[0] in ("up", "preview"):
            give_identity(self.name, self.root)
        stack = () if argv[:2] == ("stack", "init") else ("--stack", self.name)
        settings = () if argv[0] in ("stack", "state", "cancel") else ("--config-file", str(self.settings))
        return subprocess.Popen(
            ["pulumi", *argv, *stack, *settings, "--non-interactive"],
            cwd=self.root,
            env={**self.environ, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def must(self, *argv: str) -> Result:
        """Run ``pulumi`` with *argv*, which has to succeed."""
        result = self.run(*argv)
        assert result.code == 0, result.output
        return result

    def set(self, key: str, value: str) -> None:
        """Set ``fleetcaptain:key``."""
        self.must("config", "set", f"fleetcaptain:{key}", value)

    def set_secret(self, name: str, value: str) -> None:
        """Set the secret ``fleetcaptain:secrets.name``, which no argument has."""
        with self.start("config", "set", "--secret", f"fleetcaptain:secrets.{name}") as process:
            output, _ = process.communicate(value, timeout=_TIMEOUT_SEC)
        assert process.returncode == 0, output

    def up(self) -> Result:
        """``pulumi up``, which has to succeed. It goes without a preview, whose tests ask for one."""
        return self.must("up", "--yes", "--skip-preview")

    def rests(self) -> None:
        """``pulumi up`` has nothing to do."""
        result = self.must("up", "--yes", "--skip-preview", "--diff")
        assert set(result.counts) == {"unchanged"}, result.output

    def fails(self, *argv: str) -> Result:
        """``pulumi up``, or *argv*, which has to fail."""
        result = self.run(*(argv or ("up", "--yes")))
        assert result.code != 0, result.output
        return result

    def preview(self) -> Result:
        """``pulumi preview --diff``, which has to succeed."""
        return self.must("preview", "--diff")

    def free(self) -> None:
        """What ``make up`` does first: free the stack when the ``pulumi`` that held it was killed. Where that cannot be
        known, as in a container, a person does what it says then."""
        drop_empty_attributes(self.home)
        if drop_dead_locks(self.home).doubts:
            self.must("cancel", "--yes")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return dict(json.loads(self.must("stack", "output", "--json").output))

    def urns(self) -> list[str]:
        """What Pulumi calls each resource that it knows of."""
        state = json.loads(self.must("stack", "export").output)
        return [resource["urn"] for resource in state["deployment"]["resources"]]

    def destroy(self) -> None:
        """``pulumi destroy`` and ``pulumi stack rm``."""
        self.must("destroy", "--yes")
        self.must("stack", "rm", "--yes")

    def reset(self) -> None:
        """What each test begins with: the example with the changes `begins_with`, the settings as they were made, all
        of it running. Services of another Fleetfile are removed; what an ``up`` cannot bring there is made new."""
        fresh, self._is_fresh = self._is_fresh, False
        if fresh and not self.begins_with:
            return
        self.free()
        example(self.app)
        self.edit("Fleetfile.py", self.begins_with)
        self.settings.write_text(self._as_made)
        tried = self._try_up()
        if "fleetcaptain:strays" in tried.error:
            self.set("strays", "remove")
            self._try_up()
            self.settings.write_text(self._as_made)
            tried = self._try_up()
        if tried.code != 0:
            self.run("destroy", "--yes")
            remove_all(self.identity)
            self.up()
        # Those of services that no longer have a volume stay.
        for anchor in filter(is_anchor_name, self.cluster().snapshot().units):
            self.fleetctl("destroy", anchor)

    def _try_up(self) -> Result:
        return self.run("up", "--yes", "--skip-preview")

    def remove(self) -> None:
        """Take all of it away, whatever state it is in."""
        self.run("destroy", "--yes")
        remove_all(self.identity)
        shutil.rmtree(self.folder, ignore_errors=True)

    def containers(self) -> dict[str, Any]:
        """Its containers by their short names: ``m1``, ``registry``."""
        return {container.name.rpartition("-")[2]: container for container in find(self.identity)}

    @property
    def registry(self) -> str:
        """The address of its registry on this computer: ``127.0.0.1:PORT``, also while it is stopped."""
        bindings = self.containers()["registry"].attrs["HostConfig"]["PortBindings"]
        return f"127.0.0.1:{bindings['5000/tcp'][0]['HostPort']}"

    def as_existing(self) -> dict[str, str]:
        """The settings of another stack that comes to this cluster, and knows only how to connect to its machines."""
        connection = self.outputs()["connection"]
        return {
            "cluster": "existing",
            "fleet": ", ".join(f"ssh://{host}:22" for host in connection["ssh"]),
            "sshKey": connection["key"],
            "knownHosts": connection["known_hosts"],
            "registry": self.registry,
        }

    def leftovers(self) -> list[str]:
        """The names of the containers, volumes and networks that carry its label, and its folder."""
        return [*resources_of(self.identity), *([str(self.folder)] if self.folder.exists() else [])]

    def cluster(self, app: str = "behavioral") -> Cluster:
        """Its cluster, reached as the program reaches it."""
        if self._connection is None:
            self._connection = self.outputs()["connection"]
        return handle_of(self._connection).connect(app)

    def unit_hashes(self) -> dict[str, str]:
        """Name -> hash of every unit on its cluster: what was deployed, whatever state fleet shows of it."""
        return {name: unit.unit_hash for name, unit in self.cluster().snapshot().units.items()}

    @contextmanager
    def as_guest_of_etcd(self) -> Iterator[str]:
        """A URL at which etcd answers here as it answers a container, until the block ends. The network has none."""
        way = self.outputs()["connection"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = {
            "BatchMode": "yes",
            "ExitOnForwardFailure": "yes",
            "UserKnownHostsFile": way["known_hosts"],
            "StrictHostKeyChecking": "accept-new",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        forward = ["-L", f"127.0.0.1:{port}:127.0.0.1:2379"]
        argv = ["ssh", "-N", "-i", way["key"], *words, *forward, way["ssh"][0]]
        with subprocess.Popen(argv, cwd=self.root, stderr=subprocess.DEVNULL) as process:
            try:
                while not _listens(port):
                    assert process.poll() is None, "ssh ended"
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()

    def fleetctl(self, *argv: str, machine: str = "m1") -> str:
        """What ``fleetctl`` says on a machine, as an operator would use it behind our back."""
        code, output = self.containers()[machine].exec_run(["/opt/bin/fleetctl", *argv])
        assert code == 0, output.decode()
        return str(output.decode())

    @contextmanager
    def edited(self, path: str, changes: Mapping[str, str]) -> Iterator[None]:
        """The app with *changes* (old text -> new text) in the file *path*, taken back at the end."""
        file = self.app / path
        before = file.read_text()
        self.edit(path, changes)
        try:
            yield
        finally:
            file.write_text(before)

    def edit(self, path: str, changes: Mapping[str, str]) -> None:
        """Change the file *path* of the app for good."""
        file = self.app / path
        text = file.read_text()
        for old, new in changes.items():
            assert old in text, f"{old!r} is not in {path}"
            text = text.replace(old, new)
        file.write_text(text)


def _listens(port: int) -> bool:
    """Whether a port of the loopback is open; after a moment when it is not."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        time.sleep(0.05)
        return False
    return True
