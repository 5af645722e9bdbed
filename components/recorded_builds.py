"""The builds that the state has, also while a rollback runs, which builds nothing and has no images. So the preview
after a rollback knows what an unchanged build gave, instead of every service with an unknown image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["APP", "IMAGE", "RecordedBuild", "recorded_builds"]

APP = "fleetcaptain:index:FleetApp"
IMAGE = "docker-build:index:Image"


@dataclass(frozen=True)
class RecordedBuild:
    """What a build was made of (its files are the hash among its *arguments*), and the *digest* of its image."""

    arguments: Mapping[str, str]
    target: str
    platforms: Sequence[str]
    digest: str

    def to_data(self) -> dict[str, Any]:
        """As an output of the app."""
        return asdict(self)

    def digest_of(self, arguments: Mapping[str, str], target: str | None, platforms: Sequence[str]) -> str | None:
        """The digest, if the build is the same as this one."""
        is_same = (arguments, target or "", [*platforms]) == (self.arguments, self.target, [*self.platforms])
        return self.digest if is_same else None


def recorded_builds(recorded: Mapping[tuple[str, str], Mapping[str, Any]], app: str) -> dict[str, RecordedBuild]:
    """Name of an image -> its last build: of the images in *recorded* (see `recorded_resources`), or those that a
    rollback of *app* noted when it removed them."""
    noted: Mapping[str, Mapping[str, Any]] = recorded.get((APP, app), {}).get("builds") or {}
    builds = {name: _read(build, "arguments") for name, build in noted.items()}
    builds |= {name: _read(image, "buildArgs") for (kind, name), image in recorded.items() if kind == IMAGE}
    return {name: build for name, build in builds.items() if build.digest}


def _read(outputs: Mapping[str, Any], arguments: str) -> RecordedBuild:
    return RecordedBuild(
        dict(outputs.get(arguments) or {}),
        outputs.get("target") or "",
        list(outputs.get("platforms") or ()),
        outputs.get("digest") or "",
    )
