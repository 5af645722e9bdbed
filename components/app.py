"""``FleetApp``: from a Fleetfile, or a release to roll back to, to images, units and the release gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pulumi

from components.app_image import AppImage
from components.cluster.interface import ClusterComponent
from components.configured_secrets import encoded_secrets, missing_secrets, needed_secrets
from components.deploy_hooks import DeployHooks
from components.deployment_plan import Plan, forward, proxy_first, routes_in
from components.engine import diagnostics
from components.engine.dynamic_resource import type_of
from components.engine.recorded_state import recorded_resources
from components.etcd_readiness import EtcdReadiness
from components.fleet_secrets import FleetSecrets
from components.fleet_task import FleetTask
from components.fleet_timer import FleetTimer
from components.fleet_unit import FleetUnit
from components.pinned_image import PinnedImage
from components.preview_checks import Preflight, check_cluster, refuse_in_preview
from components.recorded_builds import APP, IMAGE, recorded_builds
from components.registry_logins import RegistryLogins
from components.release_record import ReleaseRecord
from components.release_tag import release_tag
from components.rollback_plan import plan_back
from components.stray_units import RemovedStrays
from components.volume_warnings import declared_volumes, warn_of_lost_volumes, warn_of_spread_volumes
from components.window_checks import KnownWindows, WindowPolicy, announce_windows, hold_for_windows, known_windows
from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.fleetfile.values import App, Build, TaskSpec
from fleetcaptain.machine.machine_ports import HEALTH
from fleetcaptain.mode import Mode
from fleetcaptain.registry_login import RegistryLogin
from fleetcaptain.release.release_name import ReleaseName
from fleetcaptain.release.renames import renamed_in
from fleetcaptain.release.repositories import BuiltImage, built_images, repositories
from fleetcaptain.release.rollback import RequestedRollback
from fleetcaptain.release.service_release import Part, parts_of_app
from fleetcaptain.rollout.strays import STRAYS_ARE_ERRORS, StrayPolicy
from fleetcaptain.units.agent_calls import agent_name, proxy_name
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import periodic_units, service_of
from fleetcaptain.units.public_address import public_urls
from fleetcaptain.units.render_task import TaskFiles
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["FleetApp"]

_READY_SEC = 300.0
_UNIT = type_of("Unit")
_AGENT_ROLLOUT = {"min_healthy_sec": 0, "healthy_deadline_sec": 120, "progress_deadline_sec": 120}


class FleetApp(pulumi.ComponentResource):
    """An app on a cluster. Outputs: *endpoints*, service -> URLs: of a public service its addresses, which stay, of
    others those of their instances; *changing_endpoints*, the names of these others; and *release*, its tag, once it is
    current.

    *files*: service -> its unit, see `render_app`, and *tasks*: task -> its files, see `render_tasks`; not used with
    *rollback_to*, the release to deploy instead of the Fleetfile. *strays*: the policy for units that the
    Fleetfile does not declare. *adopt*: whose units are adopted (see `Ownership`). *ready_timeout_sec*: the timeout of
    the gate; None derives it from the rollouts. *hooks* get the release. *secret_values*: name -> value of the secrets
    that services, tasks and builds name. *logins*: those at registries of images that builds begin with.
    *machine_logins*: those with which machines pull. *platforms*: of builds that name none; none: the builder's own.
    """

    endpoints: pulumi.Output[dict[str, list[str]]]
    changing_endpoints: pulumi.Output[list[str]]
    release: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        fleetfile: App,
        files: Mapping[str, UnitFile],
        tasks: Mapping[str, TaskFiles] | None = None,
        cluster: ClusterComponent,
        release: ReleaseName,
        rollback_to: RequestedRollback | None = None,
        strays: StrayPolicy = STRAYS_ARE_ERRORS,
        windows: WindowPolicy = WindowPolicy.WARN,
        adopt: frozenset[str] = frozenset(),
        ready_timeout_sec: float | None = None,
        hooks: DeployHooks | None = None,
        secret_values: Mapping[str, pulumi.Input[str]] | None = None,
        logins: Sequence[RegistryLogin] = (),
        machine_logins: Sequence[RegistryLogin] = (),
        platforms: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(APP, name, None, opts)
        self._name, self._app, self._cluster = name, fleetfile, cluster
        self._strays, self._windows = strays, windows
        self._ready_timeout_sec, self._hooks, self._logins = ready_timeout_sec, hooks, logins
        self._tasks, self._machine_logins, self._platforms = tasks or {}, machine_logins, platforms
        self._values = {name: pulumi.Output.secret(value) for name, value in (secret_values or {}).items()}
        self._digests: pulumi.Output[list[str]] | None = None
        if rollback_to is None:
            missing_secrets(needed_secrets(fleetfile, files), self._values, encoded_secrets(fleetfile))
        stack = f"{pulumi.get_project()}/{pulumi.get_stack()}"
        self._ownership = Ownership(fleetfile.app, stack, adopt)
        service = agent_name(fleetfile.app).removesuffix(".service")
        port = HEALTH if cluster.balancer is not None else None
        self._agent = Part(service, agent_unit(fleetfile.app, stack, port), 1, Mode.FLEET_GLOBAL, _AGENT_ROLLOUT)
        # A rollback removes them from the state. Also in an update, which builds: a saved plan has the provider of this
        # reading, and the engine refuses an update without it.
        recorded = recorded_resources({APP, IMAGE, _UNIT})
        self._builds = recorded_builds(recorded, name)
        self._recorded_units = frozenset(unit for kind, unit in recorded if kind == _UNIT)
        # A rollback builds nothing.
        names = repositories(fleetfile, files) if rollback_to is None else ()
        self._repositories = [pulumi.Output.format("{0}/{1}", cluster.registry, name) for name in names]
        if rollback_to is None:
            parts = parts_of_app(fleetfile, files)
            warn_of_spread_volumes(parts)
            if pulumi.runtime.is_dry_run():
                # Before there is a cluster; else the preflight does it.
                cluster.connection.apply(
                    lambda known: None if isinstance(known, Mapping) else announce_windows(KnownWindows(), parts),
                    run_with_unknowns=True,
                )
            renames = renamed_in(parts)
            found = cluster.connection.apply(
                lambda connection: self._preflight(connection, parts, self._periodic(), renames)
            )
            first = self._begin(found)
            images, secrets = self._images(files, release), self._encrypted(first)
            gate = self._declare(forward(parts, images, release, self._app.tasks, secrets), first)
            found_at, self.release = self._addresses(parts, gate), gate.release
        else:
            rolled_back = cluster.connection.apply(lambda connection: self._roll_back(connection, rollback_to))
            found_at, self.release = rolled_back["endpoints"], rolled_back["release"]
        self.endpoints, self.changing_endpoints = found_at["all"], found_at["changing"]
        outputs: dict[str, Any] = {
            "endpoints": self.endpoints,
            "changing_endpoints": self.changing_endpoints,
            "release": self.release,
        }
        if rollback_to is not None:
            outputs["builds"] = {name: build.to_data() for name, build in self._builds.items()}
        self.register_outputs(outputs)

    def _roll_back(self, connection: Mapping[str, Any], requested: RequestedRollback) -> dict[str, pulumi.Output[Any]]:
        """Declare the resources of a recorded release. Only the cluster has the record, so this waits for the
        connection."""
        plan = plan_back(connection, self._ownership, requested)
        if self._cluster.balancer is not None:
            ports = {str(found.route.port) for found in routes_in(plan.parts, proxy_name(self._app.app))}
            if others := sorted(ports.symmetric_difference(self._cluster.targets)):
                diagnostics.warn(
                    f"The load balancer's ports are those of the Fleetfile, and those of the release {requested.tag} "
                    f"differ: {', '.join(others)}. Requests there fail until both have them"
                )
        found = self._preflight(connection, plan.parts, {}, plan.renames)
        gate = self._declare(plan, self._begin(pulumi.Output.from_input(found)))
        return {"endpoints": self._addresses(plan.parts, gate), "release": gate.release}

    def _addresses(self, parts: Sequence[Part], gate: EtcdReadiness) -> pulumi.Output[dict[str, Any]]:
        """The endpoints of the release with *parts*, of which *gate* knows those of the instances."""
        proxy = proxy_name(self._app.app)
        routes = routes_in(parts, proxy)

        def combined(known: Sequence[Any]) -> dict[str, Any]:
            instances, machines, balancer = known
            public = public_urls(routes, [balancer] if balancer else [machines[name] for name in sorted(machines)])
            own = {service: urls for service, urls in instances.items() if service != proxy}
            return {"all": {**own, **public}, "changing": sorted({*own}.difference(public))}

        return pulumi.Output.all(gate.endpoints, self._cluster.machines, self._cluster.balancer).apply(combined)

    def _preflight(
        self,
        connection: Mapping[str, Any],
        parts: tuple[Part, ...],
        periodic: Mapping[str, UnitFile],
        renames: Mapping[str, tuple[str, ...]],
    ) -> Preflight:
        deployed = (*parts, self._agent)
        # Version 0.2.0 had a beacon in place of the agent. It is in the state, so Pulumi removes it, after all else.
        declared = {*(part.service for part in deployed), f"{self._app.app}-beacon"}
        windows, dry_run = known_windows(connection, self._app.app, parts), pulumi.runtime.is_dry_run()
        if dry_run:
            announce_windows(windows, parts)
        # First, because it may wait, and others may change the cluster meanwhile.
        hold_for_windows(windows, parts, self._windows, dry_run=dry_run)
        return check_cluster(
            connection,
            self._ownership,
            deployed,
            periodic,
            declared=declared,
            policy=self._strays,
            renames=renames,
        )

    def _periodic(self) -> dict[str, UnitFile]:
        """Periodic task -> the unit that its timer starts. The pairs of a rollback are on the cluster already."""
        return {name: files.unit for name, files in self._tasks.items() if files.timer is not None}

    def _begin(self, found: pulumi.Output[Preflight]) -> list[pulumi.Resource]:
        """The resources that come before all others; *found* is the result of the preflight."""
        name, cluster = self._name, self._cluster
        self._found = found
        # The units take the connection only after the check for strays: a stray stops all of them. The size of the
        # cluster changes none of them.
        self._connection = pulumi.Output.all(cluster.connection, found).apply(
            lambda both: {key: value for key, value in both[0].items() if key != "size"}
        )
        first: list[pulumi.Resource] = []
        if self._strays.action == "remove":
            removed = RemovedStrays(
                f"{name}-strays",
                app=self._app.app,
                stack=self._ownership.stack,
                names=found.apply(lambda before: list(before.strays)),
                adopt=found.apply(lambda before: list(before.stray_stacks)),
                cluster=cluster.connection,
                opts=self._child(),
            )
            first.append(removed)
        # Before the agent runs, another stack's `destroy` may remove the app's keys.
        first.append(self._unit(self._agent, "", [*first]))
        if self._machine_logins:
            logins = RegistryLogins(
                f"{name}-logins",
                app=self._app.app,
                logins=self._machine_logins,
                cluster=self._connection,
                opts=self._child([*first]),
            )
            first.append(logins)
        return first

    def _encrypted(self, first: list[pulumi.Resource]) -> dict[str, pulumi.Input[Mapping[str, str]]]:
        """Service or task -> the digests of its secrets, which are encrypted after *first*; without those that have
        none."""
        needed = {spec.name: names for spec in self._app.containers if (names := spec.secret_names)}
        used = sorted({name for found in needed.values() for name in found})
        if not used:
            return {}
        made = FleetSecrets(
            f"{self._name}-secrets",
            app=self._app.app,
            values={name: self._values[name] for name in used},
            cluster=self._connection,
            opts=self._child(first),
        )
        self._digests = made.digests.apply(lambda digests: sorted(digests.values()))
        return {service: made.digests.apply(_chosen(own)) for service, own in needed.items()}

    def _declare(self, plan: Plan, first: list[pulumi.Resource]) -> EtcdReadiness:
        """All resources of *plan*, after *first*."""
        plan = proxy_first(plan, proxy_name(self._app.app), self._recorded_units)
        name, cluster, app, stack = self._name, self._cluster, self._app.app, self._ownership.stack
        tag = release_tag(plan, app, cluster.connection)
        if self._hooks is not None:
            self._hooks.describe(plan.name.base, tag, [part.service for part in plan.parts])
        refuse_in_preview(cluster.connection, app, tag, plan.entries)
        record = ReleaseRecord(
            f"{name}-release",
            app=app,
            release=tag,
            services=plan.entries.apply(
                lambda entries: {service: entry.to_data() for service, entry in entries.items()}
            ),
            texts=plan.texts,
            rollback=plan.is_rollback,
            cluster=self._connection,
            opts=self._child(first),
        )
        units: dict[str, FleetUnit] = {}
        tasks: dict[str, FleetTask] = {}

        def run(due: Iterable[TaskSpec]) -> list[FleetTask]:
            made = []
            for task in due:
                earlier = [units[other] for other in task.after]
                if task.name not in tasks:
                    tasks[task.name] = self._task(task, plan, [*first, record, *earlier])
                made.append(tasks[task.name])
            return made

        for part in plan.ordered():
            earlier = [units[other] for other in plan.after.get(part.service, ()) if other in units]
            due = run([task for task in plan.tasks if part.service in task.before])
            after = [*first, record, *earlier, *due]
            units[part.service] = self._unit(
                part,
                plan.images[part.service],
                after,
                plan.secrets.get(part.service),
                plan.renames.get(part.service, ()),
            )
        run(task for task in plan.tasks if not task.every)
        timers = self._timers(plan, [*first, record, *units.values(), *tasks.values()])
        return EtcdReadiness(
            f"{name}-ready",
            app=app,
            stack=stack,
            release=tag,
            services={
                part.service: _entry(part, units[part.service], plan.images[part.service]) for part in plan.parts
            },
            periodic=[*self._periodic(), *(pair.name for pair in plan.kept)],
            repositories=self._repositories,
            secrets=self._digests,
            targets=cluster.targets,
            timeout_sec=self._ready_timeout_sec or _gate_timeout(plan),
            cluster=self._connection,
            # Where it asks for consent, it is removed itself, before all else.
            opts=self._child([record, *tasks.values(), *timers], stays=not cluster.asks_before_loss),
        )

    def _child(
        self, after: list[pulumi.Resource] | None = None, former: Sequence[str] = (), *, stays: bool = True
    ) -> pulumi.ResourceOptions:
        """Units are removed with their cluster if the stack owns it, not one by one: they stay until then, unless
        *stays* is false. *former*: the names that the state may have of the resource."""
        return pulumi.ResourceOptions(
            parent=self,
            deleted_with=self._cluster.owned if stays else None,
            depends_on=after or [],
            aliases=[pulumi.Alias(name=name) for name in former],
        )

    def _unit(
        self,
        part: Part,
        image: pulumi.Input[str],
        after: list[pulumi.Resource],
        secrets: pulumi.Input[Mapping[str, str]] | None = None,
        former: Sequence[str] = (),
    ) -> FleetUnit:
        return FleetUnit(
            part.service,
            app=self._app.app,
            service=part.service,
            unit=part.unit.text,
            image=image,
            instances=part.instances,
            mode=part.mode.value,
            rollout=part.rollout,
            adopt=self._adopted(part.service),
            cluster=self._connection,
            windows=part.windows,
            secrets=secrets,
            # Only those that the cluster has now: a service may keep its renamed_from.
            replaces=self._found.apply(lambda before: list(before.replaced.get(part.service, ())) or None)
            if former
            else None,
            opts=self._child(after, former),
        )

    def _task(self, task: TaskSpec, plan: Plan, after: list[pulumi.Resource]) -> FleetTask:
        return FleetTask(
            task.name,
            app=self._app.app,
            task=task.name,
            unit=self._tasks[task.name].unit.text,
            image=plan.images[task.name],
            before=task.before,
            cluster=self._connection,
            secrets=plan.secrets.get(task.name),
            opts=self._child(after),
        )

    def _timers(self, plan: Plan, after: list[pulumi.Resource]) -> list[FleetTimer]:
        """The periodic tasks, which run the new version of their services; those of a rollback stay as they are."""
        pairs: list[tuple[str, UnitFile, UnitFile, pulumi.Input[str], pulumi.Input[Mapping[str, str]] | None]] = []
        for task in plan.tasks:
            files = self._tasks[task.name]
            if files.timer is not None:
                image, secrets = plan.images[task.name], plan.secrets.get(task.name)
                pairs.append((task.name, files.unit, files.timer, image, secrets))
        for pair in plan.kept:
            file, kept = pair.service.bare()
            pairs.append((pair.name, file, pair.timer, kept, pair.service.secrets or None))
        return [
            FleetTimer(
                name,
                app=self._app.app,
                task=name,
                unit=unit.text,
                timer=timer.text,
                image=image,
                # Units without a mark are named after the task's units, not after the task.
                adopt=self._adopted(name, service_of(periodic_units(name)[0])),
                cluster=self._connection,
                secrets=secrets,
                opts=self._child(after),
            )
            for name, unit, timer, image, secrets in pairs
        ]

    def _adopted(self, *services: str) -> pulumi.Input[list[str]]:
        """What *services* adopt; unknown until the cluster is known."""
        if not self._ownership.adopt:
            return []
        return self._found.apply(
            lambda before: [adopted for service in services for adopted in before.adopt.get(service, ())]
        )

    def _images(self, files: Mapping[str, UnitFile], release: ReleaseName) -> dict[str, pulumi.Input[str]]:
        """Service -> its image, by its digest; each distinct one is built and pushed, or asked for, once. "" if the
        unit's text uses none, as with custom commands."""
        images: dict[str | Build, pulumi.Input[str]] = {}
        volumes: dict[str | Build, pulumi.Input[Sequence[str]]] = {}
        services = [spec for spec in self._app.services if files[spec.name].needs_image]
        needing = [*services, *(task.container for task in self._app.tasks)]
        built = built_images(self._app, files)
        for spec in needing:
            if spec.image in images:
                continue
            if isinstance(spec.image, Build):
                images[spec.image] = self._build(spec.image, built[spec.image])
                volumes[spec.image] = declared_volumes(self._app.root, spec.image)
            elif "@" in spec.image:
                images[spec.image] = spec.image
            else:
                child = pulumi.ResourceOptions(parent=self)
                named = release.base if release.exact else ""
                pinned = PinnedImage(spec.image, reference=spec.image, release=named, opts=child)
                images[spec.image], volumes[spec.image] = pinned.ref, pinned.volumes
        warn_of_lost_volumes(self._app.app, {spec: volumes[spec.image] for spec in services if spec.image in volumes})
        return {spec.name: "" for spec in self._app.services} | {spec.name: images[spec.image] for spec in needing}

    def _build(self, build: Build, named: BuiltImage) -> pulumi.Output[str]:
        image = AppImage(
            named.resource,
            root=self._app.root,
            build=build.by_default_for(self._platforms),
            image=named.repository,
            registry=self._cluster.registry,
            login=self._cluster.login,
            secrets=self._values,
            others=self._logins,
            recorded=self._builds.get(named.resource),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return image.ref


def _chosen(names: Sequence[str]) -> Callable[[Mapping[str, str]], dict[str, str]]:
    return lambda digests: {name: digests[name] for name in names}


def _gate_timeout(plan: Plan) -> float:
    """The timeout of the gate: the longest healthy deadline of the services, at least five minutes."""
    return max([_READY_SEC, *(float(part.rollout.get("healthy_deadline_sec", 0)) for part in plan.parts)])


def _entry(part: Part, unit: FleetUnit, image: pulumi.Input[str]) -> dict[str, Any]:
    """The facts of a service for the gate and the endpoints."""
    return {"content": unit.content, "count": unit.count, "image": image, "scheme": part.scheme}
