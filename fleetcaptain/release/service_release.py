"""One service of a release to deploy, from a Fleetfile or a manifest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.fleetfile.values import App, BlueGreen, Http, ServiceSpec
from fleetcaptain.mode import Mode
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.units.names import instance_names
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["Part", "parts_of_app", "parts_of_manifest"]


@dataclass(frozen=True)
class Part:
    """A *service*: its *unit* without the image, its *instances*, how it is replaced (*mode*, and the times of
    its *rollout*), the services that it *requires*, the *scheme* of its URLs, its *windows*, the service that it
    was *renamed_from* ("": none), and the services that a deploy brings up to date before it (*after*; a release's
    record does not have them)."""

    service: str
    unit: UnitFile
    instances: int
    mode: Mode
    rollout: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    scheme: str = "tcp"
    after: tuple[str, ...] = ()
    windows: tuple[WindowSpec, ...] = ()
    renamed_from: str = ""

    @property
    def peers(self) -> tuple[str, ...]:
        """The services on whose machine its units have to be: fleet places none of them before those."""
        return self.unit.rules(instance_names(self.service, 1)[0]).peers

    def entry(self, file: UnitFile, image: str) -> ServiceRelease:
        """What a manifest says of it when it runs *image*, a reference or "", by the unit *file* that names it."""
        return ServiceRelease(
            unit_hash=file.unit_hash,
            count=self.instances,
            image=image,
            mode=self.mode,
            rollout=dict(self.rollout),
            requires=self.requires,
            scheme=self.scheme,
            windows=self.windows,
            renamed_from=self.renamed_from,
        )


def parts_of_app(app: App, files: Mapping[str, UnitFile]) -> tuple[Part, ...]:
    """The services of a Fleetfile; *files* maps each to its unit without the image."""
    names = {spec.name for spec in app.services}
    return tuple(
        Part(
            service=spec.name,
            unit=files[spec.name],
            instances=spec.instances,
            mode=_mode(spec),
            rollout=asdict(spec.rollout),
            requires=tuple(needed for needed in spec.requires if needed in names),
            after=tuple(earlier for earlier in spec.after if earlier in names),
            scheme=("https" if spec.ready.https else "http") if isinstance(spec.ready, Http) else "tcp",
            windows=spec.scale,
            renamed_from=spec.renamed_from or "",
        )
        for spec in app.services
    )


def parts_of_manifest(manifest: Release, files: Mapping[str, UnitFile]) -> tuple[tuple[Part, ...], dict[str, str]]:
    """The services of a release, and service -> its image; *files* maps contents to the units with their images. What
    they say of their secrets is left out."""
    parts, images = [], {}
    for service, release in manifest.services.items():
        unit, image = files[release.unit_hash].bare()
        # A service of every machine has as many instances as there are machines by then.
        instances = 1 if release.mode is Mode.PER_MACHINE else release.count
        parts.append(
            Part(
                service=service,
                unit=unit,
                instances=instances,
                mode=release.mode,
                rollout=release.rollout,
                requires=release.requires,
                scheme=release.scheme,
                windows=release.windows,
                renamed_from=release.renamed_from,
            )
        )
        images[service] = image
    return tuple(parts), images


def _mode(spec: ServiceSpec) -> Mode:
    if spec.global_unit:
        return Mode.PER_MACHINE
    return Mode.BLUE_GREEN if isinstance(spec.rollout, BlueGreen) else Mode.ROLLING
