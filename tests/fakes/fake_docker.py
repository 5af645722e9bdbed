"""The Docker engine in memory, as far as a local cluster uses it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import docker.errors

__all__ = ["Container", "FakeDocker", "Network", "Volume"]

Answer = Callable[["Container", list[str]], tuple[int, str]]


@dataclass(kw_only=True)
class _Labeled:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Volume(_Labeled):
    """A volume."""

    docker: FakeDocker

    def remove(self, force: bool = False) -> None:
        """Remove it; Docker refuses while a container has it, even by force."""
        assert force
        users = [one.name for one in self.docker.made.values() if self.name in one.volumes]
        if users:
            raise docker.errors.APIError("conflict", explanation=f"volume is in use - {users}")
        del self.docker.volumes_made[self.name]


@dataclass(kw_only=True)
class Network(_Labeled):
    """A network."""

    docker: FakeDocker

    def remove(self) -> None:
        """Remove it."""
        del self.docker.networks_made[self.name]


@dataclass(kw_only=True)
class Container(_Labeled):
    """A container: what it was made from (*config*), the *files* that were put into it, how often it was started."""

    docker: FakeDocker
    config: Mapping[str, Any]
    status: str = "created"
    files: dict[str, bytes] = field(default_factory=dict)
    starts: int = 0

    @property
    def volumes(self) -> list[str]:
        """The names of its volumes."""
        return [bind.partition(":")[0] for bind in self.config["HostConfig"].get("Binds", ())]

    @property
    def address(self) -> str:
        """Its address on the stack's network."""
        (endpoint,) = self.config["NetworkingConfig"]["EndpointsConfig"].values()
        return str(endpoint["IPAMConfig"]["IPv4Address"])

    def start(self) -> None:
        """Start it; Docker refuses that for one that is paused."""
        if self.status == "paused":
            raise docker.errors.APIError("conflict", explanation="cannot start a paused container")
        self.status, self.starts = "running", self.starts + 1
        self.attrs["State"] = {"StartedAt": self.docker.started_at}

    def unpause(self) -> None:
        """Let it go on."""
        self.status = "running"

    def reload(self) -> None:
        """Its values are always the newest."""

    def remove(self, force: bool = False, v: bool = False) -> None:  # noqa: ARG002 - named volumes stay
        """Remove it."""
        assert force
        del self.docker.made[self.name]

    def put_archive(self, path: str, data: bytes) -> None:
        """Unpack a tar."""
        assert path == "/"
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isfile() else None
                if content is not None:
                    self.files[f"/{info.name}"] = content.read()

    def exec_run(self, argv: list[str]) -> tuple[int, bytes]:
        """Run a command inside."""
        if self.status != "running":
            raise docker.errors.APIError("conflict", explanation=f"container {self.name} is not running")
        code, output = self.docker.answer(self, argv)
        return code, output.encode()


class FakeDocker:
    """A client of an engine with the images *images*. *answer* says what commands inside of containers print.

    *made*, *volumes_made* and *networks_made* are what there is, by name.
    """

    def __init__(self, answer: Answer = lambda _container, _argv: (0, ""), images: Iterable[str] = ()) -> None:
        self.answer = answer
        self.known_images = ["debian:trixie", *images]
        self.made: dict[str, Container] = {}
        self.volumes_made: dict[str, Volume] = {}
        self.networks_made: dict[str, Network] = {}
        self.started_at = "2030-01-01T12:00:00.123456789Z"
        # What was built: its names and, apart from those, its names with a digest.
        self.built: list[tuple[list[str], list[str]]] = []
        self.api = SimpleNamespace(
            create_container_from_config=self._create,
            containers=self._summaries,
            images=lambda: [{"RepoTags": tags, "RepoDigests": digests} for tags, digests in self.built],
            remove_image=self._remove_image,
        )
        # What `ls` prints of the volumes of all machines.
        self.data = b""
        self.containers = SimpleNamespace(
            list=self._list, get=self.made.__getitem__, run=lambda _image, **_options: self.data
        )
        self.volumes = SimpleNamespace(
            list=lambda filters: _matching(self.volumes_made.values(), filters),
            create=self._volume,
            get=self._get_volume,
        )
        self.networks = SimpleNamespace(
            list=lambda filters=None: _matching(self.networks_made.values(), filters or {}), create=self._network
        )
        self.images = SimpleNamespace(list=self._images, build=self._build)

    def ping(self) -> bool:
        """It is there."""
        return True

    def _create(self, config: Mapping[str, Any], name: str) -> dict[str, str]:
        attrs = {
            "HostConfig": config["HostConfig"],
            "Config": {"Env": config.get("Env"), "Entrypoint": config.get("Entrypoint"), "Image": config["Image"]},
        }
        self.made[name] = Container(docker=self, name=name, labels=config["Labels"], config=config, attrs=attrs)
        return {"Id": name}

    def _list(self, *, filters: Mapping[str, Any], **_: bool) -> list[Container]:
        return _matching(self.made.values(), filters)

    def _summaries(self, *, filters: Mapping[str, Any], **_: bool) -> list[dict[str, Any]]:
        return [{"Names": [f"/{one.name}"], "State": one.status} for one in self._list(filters=filters)]

    def _volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        attrs = {"Labels": dict(labels)}
        return self.volumes_made.setdefault(name, Volume(docker=self, name=name, labels=labels, attrs=attrs))

    def _get_volume(self, name: str) -> Volume:
        if name not in self.volumes_made:
            raise docker.errors.NotFound(f"no volume {name}")
        return self.volumes_made[name]

    def _network(self, name: str, driver: str, ipam: Mapping[str, Any], labels: Mapping[str, str]) -> Network:
        assert driver == "bridge"
        return self.networks_made.setdefault(
            name, Network(docker=self, name=name, labels=labels, attrs={"IPAM": dict(ipam)})
        )

    def _images(self, name: str) -> list[str]:
        return [image for image in self.known_images if image == name]

    def _remove_image(self, name: str) -> None:
        if not any(name in names for image in self.built for names in image):
            raise docker.errors.ImageNotFound(name)
        self.built = [
            ([tag for tag in tags if tag != name], [one for one in digests if one != name])
            for tags, digests in self.built
        ]

    def _build(self, *, tag: str, **_: Any) -> None:
        self.known_images.append(tag)


def _matching(found: Iterable[Any], filters: Mapping[str, Any]) -> list[Any]:
    labels = filters.get("label", [])
    pairs = [label.partition("=") for label in ([labels] if isinstance(labels, str) else labels)]
    # Machines are made in several threads.
    return [one for one in list(found) if all(one.labels.get(key) == value for key, _, value in pairs)]
