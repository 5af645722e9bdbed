"""The program: a Fleetfile, a cluster, and the app on it. Composition only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pulumi

from components.app import FleetApp
from components.configured_logins import logins_of_stack
from components.configured_secrets import stack_secrets
from components.deploy_hooks import HOOK_SEC, DeployHooks
from components.docker_login import machine_logins
from components.engine import diagnostics
from components.engine.abort import abort, refuse_early_end
from components.engine.announcements import show_announcements
from components.engine.plan_option import plan_file
from components.engine.stack_outputs import keep_outputs
from components.factory import choose_cluster, default_platforms
from components.rollback_plan import load_for
from components.saved_plan import refuse_changed
from components.window_checks import WindowPolicy
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleetfile.values import App
from fleetcaptain.release.release_name import ReleaseName, release_name
from fleetcaptain.release.repositories import built_images
from fleetcaptain.release.rollback import RequestedRollback
from fleetcaptain.rollout.ownership import parse_adopt
from fleetcaptain.rollout.strays import StrayPolicy
from fleetcaptain.units.render import render_app
from fleetcaptain.units.render_task import render_tasks
from fleetcaptain.units.unit_file import UnitFile


def main() -> None:
    """Declare everything. All errors in the Fleetfile or the configuration are reported first."""
    keep_outputs({"stack": stack_name()})
    config = pulumi.Config("fleetcaptain")
    root = Path(config.get("project") or "examples/behavioral").resolve()
    try:
        strays = StrayPolicy.parse(config.get("strays") or "error")
        adopt = parse_adopt(config.get("adopt") or "")
        windows = WindowPolicy.parse(config.get("windows") or WindowPolicy.WARN)
    except ValueError as error:
        raise pulumi.RunError(str(error)) from error
    rollback_to = RequestedRollback.of(config.get("rollbackTo") or "", os.environ)
    fleetfile = load_for(root, config.get("cluster"), rollback_to)
    # A rollback deploys other units, and does not check those of the Fleetfile.
    rendered = cache(lambda: render_app(fleetfile, stack_name()))
    # A deploy hook may deploy another stack.
    os.environ.pop(RequestedRollback.VARIABLE, None)
    release = ReleaseName(rollback_to.tag) if rollback_to else name_release(config, fleetfile, rendered())
    tasks = {} if rollback_to else render_tasks(fleetfile, stack_name())
    secrets = {} if rollback_to else stack_secrets(fleetfile, rendered())
    plan = plan_file()
    if plan and not rollback_to:
        refuse_changed(plan, fleetfile, rendered(), tasks, default_platforms(config))
    hooks = DeployHooks(fleetfile.root, fleetfile.app, stack_name(), config.get_float("hookTimeoutSec") or HOOK_SEC)
    hooks.attach()
    logins = logins_of_stack()
    cluster = choose_cluster(config, fleetfile, rendered, logins.own, is_rollback=rollback_to is not None)
    app = FleetApp(
        fleetfile.app,
        fleetfile=fleetfile,
        files={} if rollback_to else rendered(),
        tasks=tasks,
        cluster=cluster,
        release=release,
        rollback_to=rollback_to,
        strays=strays,
        windows=windows,
        adopt=adopt,
        ready_timeout_sec=config.get_int("readyTimeoutSec"),
        hooks=hooks,
        secret_values=secrets,
        logins=logins.foreign,
        machine_logins=machine_logins(logins),
        platforms=default_platforms(config),
    )
    show_announcements(app.release)
    pulumi.export("endpoints", app.endpoints)
    pulumi.export("changing_endpoints", app.changing_endpoints)
    pulumi.export("release", app.release)
    pulumi.export("machines", cluster.machines)
    pulumi.export("etcd", cluster.etcd)
    pulumi.export("app", fleetfile.app)
    pulumi.export("stack", stack_name())
    pulumi.export("connection", cluster.connection)


def stack_name() -> str:
    """The stack in the marks of its units."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


def name_release(config: pulumi.Config, fleetfile: App, files: Mapping[str, UnitFile]) -> ReleaseName:
    """The name of the release of *fleetfile*; *files* are its units."""
    # The image of the proxy is FleetCaptain's own, so the commit of the app does not decide it.
    own = replace(fleetfile, services=tuple(spec for spec in fleetfile.services if not spec.routes))
    builds = built_images(own, files)
    name = release_name(config.get("release"), fleetfile.root, tuple(builds), fleetfile.sources)
    if name.notice:
        diagnostics.info(name.notice)
    return name


refuse_early_end()
try:
    main()
except (FleetCaptainError, pulumi.RunError) as error:
    abort(error)
