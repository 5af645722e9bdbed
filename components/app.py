"""``FleetApp``: from a Fleetfile to images, units and the gate."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pulumi

from components.cluster.base import ClusterComponent
from components.image import AppImage
from components.preflight import look_before
from components.readiness import EtcdReadiness
from components.strays import RemovedStrays
from components.unit import FleetUnit
from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import App, BlueGreen, Build, Http, ServiceSpec
from fleetcaptain.units.beacon import beacon, beacon_name
from fleetcaptain.units.image import with_image
from fleetcaptain.units.names import instance_names
from fleetcaptain.units.refuse import refusals
from fleetcaptain.units.render import Mark, mark_of, render

__all__ = ["FleetApp", "unit_texts"]

_BEACON_ROLLOUT = {"min_healthy_sec": 0, "healthy_deadline_sec": 120, "progress_deadline_sec": 120}


def unit_texts(app: App, stack: str) -> dict[str, str]:
    """Service -> its unit's text, without the image. Raises UnitRefused with everything that fleet would choke on."""
    texts = {spec.name: render(spec, Mark(app.app, stack, spec.name)) for spec in app.services}
    problems = []
    for spec in app.services:
        # A digest is longer than any other reference, so a line that is short enough with it always is.
        complete = with_image(texts[spec.name], f"{'x' * 100}@sha256:{'0' * 64}")
        problems += [f"service {spec.name!r}: {why}" for why in refusals(instance_names(spec.name, 1)[0], complete)]
    if problems:
        raise UnitRefused("fleet would accept these units and then choke on them; nothing was touched:", problems)
    return texts


class FleetApp(pulumi.ComponentResource):
    """All of an app on a cluster. Outputs: *endpoints*, service -> URLs, and *release*, its tag, once it is current."""

    endpoints: pulumi.Output[dict[str, list[str]]]
    release: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        fleetfile: App,
        cluster: ClusterComponent,
        release: str,
        strays: str = "error",
        ready_timeout_sec: float = 300,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("fleetcaptain:index:FleetApp", name, None, opts)
        self._app = fleetfile
        stack = f"{pulumi.get_project()}/{pulumi.get_stack()}"
        texts = unit_texts(fleetfile, stack)
        beacon_text = beacon(fleetfile.app, stack)
        beacon_mark = mark_of(beacon_text)
        declared = {**texts, **({beacon_mark.service: beacon_text} if beacon_mark else {})}
        found = cluster.connection.apply(lambda connection: look_before(connection, fleetfile, stack, declared, strays))
        # The units take the connection only after the strays were looked for: a stray stops all of them.
        self._connection = pulumi.Output.all(cluster.connection, found).apply(lambda both: both[0])
        first: list[pulumi.Resource] = []
        if strays == "remove":
            removed = RemovedStrays(
                f"{name}-strays", app=fleetfile.app, names=found, cluster=cluster.connection, opts=self._child(cluster)
            )
            first.append(removed)
        first.append(
            self._unit(
                beacon_name(fleetfile.app).removesuffix(".service"),
                cluster,
                first,
                unit=beacon_text,
                image="",
                instances=1,
                mode="everywhere",
                rollout=_BEACON_ROLLOUT,
            )
        )
        images = self._images(cluster)
        units: dict[str, FleetUnit] = {}
        for spec in _by_requirement(fleetfile):
            after = [*first, *(units[needed] for needed in spec.requires if needed in units)]
            mode = "global" if spec.global_unit else "bluegreen" if isinstance(spec.rollout, BlueGreen) else "rolling"
            units[spec.name] = self._unit(
                spec.name,
                cluster,
                after,
                unit=texts[spec.name],
                image=images[spec.image],
                instances=spec.instances,
                mode=mode,
                rollout=asdict(spec.rollout),
            )
        gate = EtcdReadiness(
            f"{name}-ready",
            app=fleetfile.app,
            release=release,
            services={spec.name: _entry(spec, units[spec.name], images[spec.image]) for spec in fleetfile.services},
            timeout_sec=ready_timeout_sec,
            cluster=self._connection,
            opts=self._child(cluster),
        )
        self.endpoints = gate.endpoints
        self.release = gate.release
        self.register_outputs({"endpoints": self.endpoints, "release": self.release})

    def _child(self, cluster: ClusterComponent, after: list[pulumi.Resource] | None = None) -> pulumi.ResourceOptions:
        """Units go with their cluster when the stack owns it, not one by one."""
        return pulumi.ResourceOptions(parent=self, deleted_with=cluster.owned, depends_on=after or [])

    def _unit(self, service: str, cluster: ClusterComponent, after: list[pulumi.Resource], **args: Any) -> FleetUnit:
        name = self._app.app
        return FleetUnit(
            service, app=name, service=service, cluster=self._connection, opts=self._child(cluster, after), **args
        )

    def _images(self, cluster: ClusterComponent) -> dict[str | Build, pulumi.Input[str]]:
        """Each distinct image once: built and pushed, or the reference as it stands."""
        images: dict[str | Build, pulumi.Input[str]] = {}
        for spec in self._app.services:
            if spec.image in images:
                continue
            if isinstance(spec.image, Build):
                images[spec.image] = self._build(spec, spec.image, cluster)
            else:
                images[spec.image] = spec.image
        return images

    def _build(self, spec: ServiceSpec, build: Build, cluster: ClusterComponent) -> pulumi.Output[str]:
        name, repository = spec.name, f"{self._app.app}/{spec.name}"
        if build == Build() and self._app.image:
            name, repository = self._app.app, self._app.image
        image = AppImage(
            name,
            root=self._app.root,
            build=build,
            image=repository,
            registry=cluster.registry,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return image.ref


def _entry(spec: ServiceSpec, unit: FleetUnit, image: pulumi.Input[str]) -> dict[str, Any]:
    """What the release's manifest, and the endpoints, need to know of a service."""
    scheme = "http" if isinstance(spec.ready, Http) else "tcp"
    return {"content": unit.content, "count": unit.count, "image": image, "scheme": scheme}


def _by_requirement(app: App) -> list[ServiceSpec]:
    """The services, each after those it requires. The Fleetfile's checks refuse cycles."""
    by_name = {spec.name: spec for spec in app.services}
    ordered: dict[str, ServiceSpec] = {}

    def add(spec: ServiceSpec) -> None:
        for needed in spec.requires:
            if needed in by_name and needed not in ordered:
                add(by_name[needed])
        ordered.setdefault(spec.name, spec)

    for spec in app.services:
        add(spec)
    return list(ordered.values())
