"""``AppImage``: builds an image from a folder, pushes it to the cluster's registry, and names it by its digest."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi
import pulumi_docker_build as docker_build

from components.docker_login import docker_environment
from components.engine import diagnostics
from components.recorded_builds import RecordedBuild
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleet.process_output import run
from fleetcaptain.fleet.project_files import STACKS, STAGED
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import Build
from fleetcaptain.printable import excerpt
from fleetcaptain.registry_login import RegistryLogin, registry_host
from fleetcaptain.release.context_hash import context_hash
from fleetcaptain.release.private_files import refuse_private_files
from fleetcaptain.release.staged_context import stage

__all__ = ["CONTEXT_HASH", "AppImage", "buildx_error"]

CONTEXT_HASH = "FLEETCAPTAIN_CONTEXT"
"""The argument of each build with the hash of its files. No Dockerfile uses it, so it changes no image. As an input of
the resource it binds a saved plan to the code: the plugin compares the files only when it builds."""

_EXPLAIN_SEC = 600
_LINES = 25


class AppImage(pulumi.ComponentResource):
    """An image of the app. *ref* is ``<registry>/<name>@sha256:...``: fleet would not see a moved tag as a change.

    *build* names the folder and Dockerfile below *root*. An unchanged folder is no change; with ``only``, a copy of
    these files is built, in the folder of the stack. *login*: user and password at *registry*, if it requires them;
    *others*: the logins at other registries, for the images that the Dockerfile begins with. *secrets*: the name of
    each secret of *build* -> its value, a secret output; another value is no change. *recorded*: the last build of this
    name, whose digest a preview expects of the same build. Raises ReleaseRefused for a folder that contains this
    project's keys, and as `stage`.
    """

    ref: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        root: Path,
        build: Build,
        image: str,
        registry: pulumi.Input[str],
        login: pulumi.Output[tuple[str, str]] | None = None,
        secrets: Mapping[str, pulumi.Output[str]] | None = None,
        others: Sequence[RegistryLogin] = (),
        recorded: RecordedBuild | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        context = BuildContext.of(root, build)
        refuse_private_files(context, Path.cwd())
        files_hash = context_hash(context)
        if build.only:
            # Relative to the project, as in the state: another checkout shows no change.
            context = stage(context, Path.cwd() / STACKS / pulumi.get_stack() / STAGED / name)
        super().__init__("fleetcaptain:index:AppImage", name, None, opts)
        repository = pulumi.Output.format("{0}/{1}", registry, image)
        tag = pulumi.Output.format("{0}:latest", repository)
        values = {name: (secrets or {})[name] for name in build.secrets}
        arguments = {name: str(value) for name, value in dict(build.args).items()}
        arguments[CONTEXT_HASH] = files_hash
        logins = _logins(registry, login, others)
        inputs = [*_options(build), "--file", str(context.dockerfile), str(context.folder)]
        built = docker_build.Image(
            name,
            context=docker_build.BuildContextArgs(location=_in_state(context.folder)),
            dockerfile=docker_build.DockerfileArgs(location=_in_state(context.dockerfile)),
            build_args={**arguments},
            target=build.target,
            platforms=[docker_build.Platform(platform) for platform in build.platforms] or None,
            # The plugin hands them to buildx as variables of the environment.
            secrets=values or None,
            # BuildKit keeps the steps of an earlier build whatever their secrets, so a rebuild would change nothing.
            ignore_secrets_in_diff_calculation=list(values) or None,
            # Not `tags` and `push`: at each refresh the plugin would resolve tags over TLS, which a registry on the
            # loopback does not speak.
            exports=[docker_build.ExportArgs(image=docker_build.ExportImageArgs(names=[tag], push=True))],
            push=False,
            # The password differs each time; the plugin does not treat that as a change.
            registries=None if logins is None else logins.apply(_registries),
            build_on_preview=False,
            # The engine's own BuildKit: another builder would first be pulled from a public registry.
            exec_=True,
            builder=docker_build.BuilderConfigArgs(name="default"),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The registry is removed with its cluster, and a deleted tag would delete the digest that units still
                # run.
                retain_on_delete=True,
                hooks=pulumi.ResourceHookBinding(on_error=[_explain(name, build, inputs, values, logins)]),
            ),
        )
        known = recorded.digest_of(arguments, build.target, build.platforms) if recorded else None
        self.ref = pulumi.Output.format("{0}@{1}", repository, _digest(built.digest, known))
        self.register_outputs({"ref": self.ref})


def _digest(built: pulumi.Output[str], expected: str | None) -> pulumi.Output[str]:
    """The digest of an image that is *built*; in a preview that has yet to build it, the *expected* one."""
    if expected is None or not pulumi.runtime.is_dry_run():
        return built
    return built.apply(lambda digest: digest if isinstance(digest, str) else expected, run_with_unknowns=True)


def _in_state(path: Path) -> str:
    """*path* in Pulumi's state: relative if it is in the project's folder, so that a moved project shows no
    change. The plugin works in that folder too."""
    project = Path.cwd()
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def _logins(
    registry: pulumi.Input[str], login: pulumi.Output[tuple[str, str]] | None, others: Sequence[RegistryLogin]
) -> pulumi.Output[list[RegistryLogin]] | None:
    """All logins, as a secret; None without any."""
    if login is None:
        return pulumi.Output.secret(list(others)) if others else None
    return pulumi.Output.all(registry, login).apply(
        lambda both: [RegistryLogin(registry_host(both[0].partition("/")[0]), *both[1]), *others]
    )


def _registries(logins: Sequence[RegistryLogin]) -> Sequence[pulumi.Input[docker_build.RegistryArgs]]:
    return [docker_build.RegistryArgs(address=one.registry, username=one.user, password=one.password) for one in logins]


def _explain(
    name: str,
    build: Build,
    inputs: Sequence[str],
    secrets: Mapping[str, pulumi.Output[str]],
    logins: pulumi.Output[list[RegistryLogin]] | None,
) -> pulumi.ErrorHook:
    """Explains why a build or push failed. The plugin reports only ``exit status 1``, so the failed step is run
    again, which is quick: all earlier steps are cached. *inputs*: the arguments of buildx that say what is built."""
    known: dict[str, str] = {}
    pulumi.Output.all(**secrets).apply(known.update)

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        if args.failed_operation == "delete" or args.new_inputs is None:
            return False
        names = args.new_inputs["exports"][0]["image"]["names"]
        argv = ["docker", "buildx", "build", "--builder", "default", "--progress", "plain", "--push", "--tag", names[0]]
        own = await logins.future() if logins else None
        output = await asyncio.to_thread(_run, [*argv, *inputs], known, own or ())
        diagnostics.error(f"image {name}: {output}{_reminder(build)}")
        return False

    return pulumi.ErrorHook(f"explain-{name}", explain)


def _reminder(build: Build) -> str:
    """Which files the build had, if not all: a step that copies another one fails as if it did not exist."""
    if not build.only:
        return ""
    return (
        f"\nThe build had only {', '.join(build.only)} and the Dockerfile. Add what its steps copy to Build(only=...)."
    )


def _options(build: Build) -> list[str]:
    """The options of buildx for *build*, apart from its files. The value of a secret is never an argument, which every
    user of the computer can see."""
    options = [f"--build-arg={name}={value}" for name, value in dict(build.args).items()]
    options += [f"--secret=id={name},env={_variable(name)}" for name in build.secrets]
    options += [f"--platform={platform}" for platform in build.platforms]
    return [*options, f"--target={build.target}"] if build.target else options


def _variable(secret: str) -> str:
    return f"FLEETCAPTAIN_SECRET_{secret}"


def _run(argv: list[str], secrets: Mapping[str, str], logins: Sequence[RegistryLogin]) -> str:
    try:
        with docker_environment(logins) as environ:
            variables = {_variable(name): value for name, value in secrets.items()}
            done = run(argv, _EXPLAIN_SEC, environ={**(environ or {}), **variables})
    except FleetCaptainError as error:
        return str(error)
    except (OSError, subprocess.SubprocessError) as error:
        return f"`{' '.join(argv)}` could not be started: {error}"
    if done.code == 0:
        return "it failed, but succeeded on a second attempt. Run `pulumi up` again"
    return buildx_error(_without_secrets(done.errors, secrets))


def _without_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """*text* with ``[secret NAME]`` for each line of a value of *secrets* in it: a build may print what it reads."""
    names = {line.strip(): name for name, value in secrets.items() for line in value.splitlines() if line.strip()}
    if not names:
        return text
    # The longest first: one may be a part of another.
    lines = "|".join(re.escape(line) for line in sorted(names, key=len, reverse=True))
    return re.sub(lines, lambda found: f"[secret {names[found[0]]}]", text)


def buildx_error(output: str) -> str:
    """The part of buildx's *output* (``--progress plain``) with the error: its summary of the failed step."""
    lines = [line for line in output.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if line.startswith("------")), None)
    shown = [line for line in lines[first or 0 :] if not line.startswith("------")]
    return "\n".join(excerpt(shown, _LINES))
