"""The plan of a deployment: the services of a Fleetfile, or those of a release to roll back to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pulumi

from fleetcaptain.discovery.documents import ServiceRelease
from fleetcaptain.fleetfile.values import PublicRoute, TaskSpec
from fleetcaptain.release.release_name import ReleaseName
from fleetcaptain.release.renames import renamed_in
from fleetcaptain.release.service_release import Part
from fleetcaptain.tasks.periodic_pair import PeriodicPair
from fleetcaptain.units.public_address import routes_of
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["Plan", "forward", "proxy_first", "routes_in"]


@dataclass(frozen=True)
class Plan:
    """The *parts* of a release; service or task -> its *image*, and the digests of its *secrets*; its *name*; and
    service -> the services to roll before it (*after*), which the order of *parts* respects. *is_rollback*: it was read
    from etcd, and runs no *tasks*; periodic ones stay as they are on the cluster (*kept*). *renames*: service -> its
    former names, whose instances its own replace."""

    parts: tuple[Part, ...]
    images: Mapping[str, pulumi.Input[str]]
    name: ReleaseName
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_rollback: bool = False
    tasks: tuple[TaskSpec, ...] = ()
    kept: tuple[PeriodicPair, ...] = ()
    secrets: Mapping[str, pulumi.Input[Mapping[str, str]]] = field(default_factory=dict)
    renames: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def _files(self) -> pulumi.Output[dict[str, UnitFile]]:
        """Service -> its unit with its image and its secrets; known once these are."""
        digests = pulumi.Output.all(**{part.service: self.secrets.get(part.service, {}) for part in self.parts})
        return pulumi.Output.all(self._known, digests).apply(
            lambda known: {
                part.service: part.unit.with_image(known[0][part.service]).with_secrets(known[1][part.service])
                for part in self.parts
            }
        )

    @property
    def _known(self) -> pulumi.Output[dict[str, str]]:
        return pulumi.Output.all(**{part.service: self.images[part.service] for part in self.parts})

    @cached_property
    def entries(self) -> pulumi.Output[dict[str, ServiceRelease]]:
        """Service -> its entry in the manifest; known once the images are."""
        return pulumi.Output.all(self._files, self._known).apply(
            lambda both: {part.service: part.entry(both[0][part.service], both[1][part.service]) for part in self.parts}
        )

    @property
    def texts(self) -> pulumi.Output[dict[str, str]]:
        """Unit hash -> the full text of a unit; known once the images are."""
        return self._files.apply(lambda files: {file.unit_hash: file.text for file in files.values()})

    def ordered(self) -> tuple[Part, ...]:
        """The parts, each after the parts that must be rolled before it."""
        by_name = {part.service: part for part in self.parts}
        done: dict[str, Part] = {}

        def add(part: Part) -> None:
            for earlier in self.after.get(part.service, ()):
                if earlier in by_name and earlier not in done:
                    add(by_name[earlier])
            done.setdefault(part.service, part)

        for part in self.parts:
            add(part)
        return tuple(done.values())


def routes_in(parts: Iterable[Part], proxy: str) -> list[PublicRoute]:
    """The routes of the public address in a release with *parts*, as its *proxy* has them."""
    return [route for part in parts if part.service == proxy for route in routes_of(part.unit)]


def proxy_first(plan: Plan, proxy: str, there: Collection[str]) -> Plan:
    """*plan*, in which *proxy* is rolled before public services whose former name is one of the services that are
    *there*. It leads to instances of both names, so a rename loses no request. Other plans as they are."""
    renamed = {route.service for route in routes_in(plan.parts, proxy) if route.former in there}
    if not renamed:
        return plan
    after = {service: (*earlier, proxy) if service in renamed else earlier for service, earlier in plan.after.items()}
    return replace(plan, after={**after, proxy: ()})


def forward(
    parts: tuple[Part, ...],
    images: Mapping[str, pulumi.Input[str]],
    name: ReleaseName,
    tasks: tuple[TaskSpec, ...] = (),
    secrets: Mapping[str, pulumi.Input[Mapping[str, str]]] | None = None,
) -> Plan:
    """The plan of a Fleetfile: each service after those that it requires or comes after, those on whose machine it has
    to be, and those that a task before it needs. Its checks refuse circles."""
    after = {part.service: (*part.requires, *part.after, *part.peers) for part in parts}
    for task in tasks:
        for service in task.before:
            after[service] = (*after[service], *task.after)
    return Plan(parts, images, name, after, tasks=tasks, secrets=secrets or {}, renames=renamed_in(parts))
