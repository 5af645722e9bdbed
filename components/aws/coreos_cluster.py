"""``CoreOSCluster``: machines with Flatcar Container Linux, CoreOS's successor, in a network of their own on AWS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.balancer import make_balancer
from components.aws.binaries import make_bucket
from components.aws.client_facts import ClientFacts, ask_client
from components.aws.iam import make_identity
from components.aws.image_registry import make_registry
from components.aws.launch_context import Launch, LaunchContext
from components.aws.launch_preflight import preflight
from components.aws.machine_image import age_notices, find_image
from components.aws.machine_programs import PROGRAMS, Program, program_problems, sums_of
from components.aws.member_machines import make_members
from components.aws.members import MemberNetwork, make_member_network
from components.aws.network import make_network
from components.aws.preconditions import unmet_preconditions
from components.aws.readiness import ClusterReady
from components.aws.recorded_cluster import (
    RecordedCluster,
    joined_members,
    new_members,
    notices,
    pinned,
    recorded_in,
    refused_changes,
    workers_image,
)
from components.aws.recorded_types import READY, RECORDED
from components.aws.refresh_guard import WindowGuard
from components.aws.scope import Scope
from components.aws.secrets import make_keys
from components.aws.security_groups import make_groups
from components.aws.settings import Settings, read
from components.aws.snapshots import make_snapshots
from components.aws.ssh_connection import endpoint_of_members, hosts_of
from components.aws.topology import MemberSlot, Opening, Subnet, openings, places, public_ports, subnets
from components.aws.userdata import UserData
from components.aws.window_schedule import LEAST_LEAD_SEC, machine_lead_sec, window_groups
from components.aws.window_workers import make_window_workers
from components.aws.worker_refresh import BOOT_SEC, LAUNCH_SEC, refresh_sec
from components.aws.workers import LEAST_DRAIN_SEC, drain_sec, make_workers
from components.cluster.interface import ClusterComponent
from components.engine import diagnostics
from components.engine.recorded_state import recorded_resources
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleetfile.values import App
from fleetcaptain.release.repositories import repositories
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["CoreOSCluster", "CoreOSClusterArgs", "choose_aws"]

_PUBLIC_DISCOVERY = "discovery.etcd.io"


@dataclass(frozen=True)
class CoreOSClusterArgs:
    """The *settings* of a cluster, and the requirements of an *app*: *repositories* for its images, *openings* between
    the machines, *public* ports, and the *windows* of each service, whose machines come *lead_sec*
    seconds before their ``ready_by``. *drain_sec*: how long a machine may take to stop. *open_dirs*: directories of
    etcd which containers may read and write. *tools*: the folder with the machines' *programs*. *ready_sec*: the
    timeout for the machines to join. *now*: seconds of the Unix clock. *ask_client*: gives the facts of this computer.
    *unmet*: see `unmet_preconditions`."""

    settings: Settings
    app: str
    repositories: Sequence[str] = ()
    openings: Sequence[Opening] = ()
    public: Sequence[int] = ()
    open_dirs: Sequence[str] = ()
    tools: Path = Path(".tools/bin")
    programs: Mapping[str, Program] = field(default_factory=lambda: PROGRAMS)
    ready_sec: int = LAUNCH_SEC
    windows: Sequence[Sequence[WindowSpec]] = ()
    lead_sec: int = LEAST_LEAD_SEC
    drain_sec: int = LEAST_DRAIN_SEC
    now: float = field(default_factory=time.time)
    ask_client: Callable[[Settings], ClientFacts] = ask_client
    unmet: Sequence[str] = ()


class CoreOSCluster(ClusterComponent):
    """A cluster on AWS. Its members keep etcd's data; the other machines are workers of an Auto Scaling group.

    Raises ClusterRefused, before anything is declared, with all unmet preconditions, all that the preflight finds, all
    programs that are missing, and all changes that a cluster with data cannot have.
    """

    def __init__(self, name: str, args: CoreOSClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("fleetcaptain:cluster:CoreOSCluster", name, None, opts)
        resources = recorded_resources(RECORDED)
        recorded = recorded_in(resources, name)
        settings, identity = pinned(args.settings, recorded), f"{pulumi.get_project()}/{pulumi.get_stack()}"
        window_plans = window_groups(args.windows, args.now, args.lead_sec)
        split, sums = _checked(name, args, settings, resources, recorded), sums_of(args.programs)
        members = places(settings.members, split)
        scope = Scope(name, identity, self)
        ami = find_image(settings.ami_id)
        workers_ami = workers_image(settings, recorded, ami)
        _warn(*notices(settings, recorded, ami), *age_notices(workers_ami, ami, args.now))

        network = make_network(scope, settings.network, split)
        groups = make_groups(
            scope,
            network.vpc_id,
            allow_ssh_from=settings.allow_ssh_from,
            between=args.openings,
            public=args.public,
        )
        registry = make_registry(scope, args.repositories, resources)
        bucket = make_bucket(scope, {program: args.tools / program for program in args.programs}, sums)
        context = LaunchContext(scope, settings, network, groups, workers_ami)
        networks = {place.name: make_member_network(context, place) for place in members}
        if settings.snapshots:
            make_snapshots(scope)
        keys = make_keys(scope, bucket, _addresses(settings, members, networks))
        roles = {
            # Sessions of Systems Manager reach workers through a member.
            kind: make_identity(scope, kind, bucket.arn, registry.arns, ssm=is_member and not settings.allow_ssh_from)
            for kind, is_member in (("members", True), ("workers", False))
        }
        boot = UserData(
            scope,
            settings,
            members,
            bucket,
            registry=registry.host,
            programs=sums,
            joined=joined_members(settings, recorded),
        )

        def launch_of(place: MemberSlot) -> Launch:
            user_data, needs = boot.member(place, networks[place.name])
            before = (*network.before_machines, *bucket.before_machines, *keys[place.name], *keys["users"], *needs)
            return Launch(user_data, roles["members"], before)

        machines = make_members(context, members, networks, launch_of, ami=ami, joined=boot.joined)
        # Members that join count in the size: no worker ends before their machines run.
        before_workers = (
            *(machines[member] for member in new_members(settings, recorded)),
            *bucket.before_machines,
            *keys["workers"],
            *keys["users"],
        )
        workers: aws.autoscaling.Group | None = None
        guard = _guard(args)
        if settings.workers:
            user_data, needs = boot.worker()
            launch = Launch(user_data, roles["workers"], (*before_workers, *needs))
            workers = make_workers(context, launch, args.drain_sec, guard.hook() if guard else None)
        if window_plans:
            user_data, needs = boot.worker(of_windows=True)
            launch = Launch(user_data, roles["workers"], (*before_workers, *needs))
            make_window_workers(context, launch, window_plans, args.drain_sec)
        if groups.balancer is not None:
            balancer = make_balancer(
                context,
                args.app,
                args.public,
                groups.balancer,
                members={place: machine.id for place, machine in machines.items()},
                workers=workers.name if workers else None,
            )
            self.balancer, self.targets = balancer.address, balancer.targets

        hosts = hosts_of(settings, networks, machines)
        endpoint = endpoint_of_members(settings, identity, hosts)
        ready = ClusterReady(
            name,
            {
                "connection": endpoint,
                "size": settings.size,
                "members": {place.name: place.address for place in members},
                "instances": {place: machine.id for place, machine in machines.items()},
                "timeout_sec": args.ready_sec,
                "open_dirs": list(args.open_dirs),
                "secured": True,
                # Another way in is waited for: a rule takes a moment.
                "allow_ssh_from": list(settings.allow_ssh_from),
                **({"workers": _replaced(settings, workers, args.drain_sec, guard)} if workers else {}),
            },
            scope.child(depends_on=[*([workers] if workers else []), *groups.ssh_rules]),
        )
        self.owned = ready
        # The connection is known long before the cluster answers: its users also wait for its readiness.
        self.connection = pulumi.Output.all(endpoint, ready.id).apply(lambda both: both[0])
        self.registry, self.login = registry.base, _login() if args.repositories else None
        self.etcd = pulumi.Output.from_input([f"https://{place.address}:2378" for place in members])
        self.machines = pulumi.Output.from_input({place.name: place.address for place in members})
        self.register_outputs({"registry": self.registry, "machines": self.machines})


def _checked(
    name: str,
    args: CoreOSClusterArgs,
    settings: Settings,
    resources: Mapping[tuple[str, str], Mapping[str, Any]],
    recorded: RecordedCluster | None,
) -> tuple[Subnet, ...]:
    """The subnets of the cluster *name* with *settings*, those of *args* as they are `pinned`; its state has
    *resources*, by (type, name), and is *recorded*. Raises ClusterRefused with all that would stop it or its machines,
    in one report."""
    has_zones = recorded is not None and bool(recorded.zones)
    checked = preflight(name, settings, resources, args.ask_client, has_zones=has_zones)
    problems = [
        *args.unmet,
        *refused_changes(args.settings, recorded),
        *program_problems(args.tools, pulumi.get_stack(), args.programs),
        *checked.errors,
    ]
    if problems:
        verb = "update" if (READY, name) in resources else "create"
        raise ClusterRefused(f"Cannot {verb} the cluster. Nothing was changed:", problems)
    return subnets(settings.network, checked.zones)


def _warn(*messages: str) -> None:
    for message in messages:
        diagnostics.warn(message)


def _addresses(
    settings: Settings, members: Sequence[MemberSlot], networks: Mapping[str, MemberNetwork]
) -> dict[str, list[pulumi.Input[str]]]:
    """The addresses in each member's certificate."""
    is_public = settings.advertised == "public"
    return {place.name: [place.address, *([networks[place.name].public] if is_public else [])] for place in members}


def _replaced(
    settings: Settings, group: aws.autoscaling.Group, drain: int, guard: WindowGuard | None
) -> Mapping[str, pulumi.Input[object]]:
    """The workers as `ReadyProvider` waits for them: units roll only when no machine is being replaced."""
    version = group.launch_template.apply(lambda template: str(template["version"]))
    return {
        "group": group.name,
        "version": version,
        "timeout_sec": refresh_sec(settings.workers, drain),
        **({"guard": guard.to_data()} if guard else {}),
    }


def _guard(args: CoreOSClusterArgs) -> WindowGuard | None:
    """What holds a replacement of the workers back while a window is open."""
    windows = tuple(window for windows in args.windows for window in windows)
    if not windows or args.settings.replace_in_windows:
        return None
    # A new worker boots before an old one ends.
    return WindowGuard(windows, args.lead_sec, args.settings.workers * 2 * BOOT_SEC)


def _login() -> pulumi.Output[tuple[str, str]]:
    """ECR's authorization token as user and password; it is valid for twelve hours."""
    token = aws.ecr.get_authorization_token_output()
    return pulumi.Output.secret(pulumi.Output.all(token.user_name, token.password).apply(tuple))


def choose_aws(
    name: str,
    config: pulumi.Config,
    app: App,
    files: Mapping[str, UnitFile],
    open_dirs: Sequence[str],
    *,
    empty_passphrase: bool,
) -> CoreOSCluster:
    """The cluster, with a registry, ports and a balancer for *app*. *files* are its units, *open_dirs*: see
    `LocalCluster`; *empty_passphrase*: of the encryption of the stack.

    Raises ClusterRefused with all invalid settings and unmet preconditions, and UnitRefused.
    """
    unmet = unmet_preconditions(
        app,
        stack=pulumi.get_stack(),
        empty_passphrase=empty_passphrase,
        partition=aws.get_partition().partition,
    )
    settings = read(config.get, unmet)
    if _PUBLIC_DISCOVERY in settings.discovery_url:
        diagnostics.warn(
            f"fleetcaptain:discoveryUrl: {_PUBLIC_DISCOVERY} is not reliable. Remove the setting: the members know "
            "each other's addresses and need no discovery"
        )
    args = CoreOSClusterArgs(
        settings,
        app.app,
        repositories(app, files),
        openings(app),
        public_ports(app),
        tuple(open_dirs),
        windows=[spec.scale for spec in app.services],
        lead_sec=machine_lead_sec(app),
        drain_sec=drain_sec(app),
        unmet=unmet,
    )
    return CoreOSCluster(name, args)
