"""``PinnedImage``: an image that others push, named by the digest that its tag has when a release is deployed first."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, ConfigureRequest, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.configured_logins import LOGIN_SETTINGS, configured_logins
from components.docker_login import docker_environment
from components.engine.dynamic_resource import Resource, warn
from fleetcaptain.fleet.process_output import Finished, run
from fleetcaptain.registry_login import logins_for
from fleetcaptain.release.pinned import config_argv, config_volumes, kept_warning, manifest_argv, pin, tag_warning
from fleetcaptain.untrusted import Unreadable

__all__ = ["Pinned", "PinnedImage", "PinnedImageProvider", "resolve"]

# At most twice that, with all images in parallel: a registry that is down must not block a deployment.
_ASK_SEC = 4.0
_ADDED = ("ref", "volumes", "inspected")

# Runs a command with a timeout in seconds.
Run = Callable[[Sequence[str], float], Finished]


class PinnedImageProvider(ResourceProvider):
    """Gets the digest of an image's tag from its registry, with the login of the stack's configuration, or with the
    operator's own.

    Inputs: ``reference``, a name with or without a tag; ``release``, the name of a named release, or "". A named
    release keeps its images: its contents never change. `check` adds, so that a preview has them:
    ``ref``, the reference with the digest; ``volumes``, the paths that this image declares as volumes, empty if it was
    not ``inspected`` for them. Outputs: the inputs. The logins are none of them, so a new password is no change.
    """

    def __init__(self) -> None:
        self._config: dict[str, Any] = {}

    def configure(self, req: ConfigureRequest) -> None:
        """Take what the stack's configuration has about logins."""
        self._config = {key: text for key in LOGIN_SETTINGS if (text := req.config.get(key)) is not None}

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Get the digest. Warns if the registry does not answer: the deployed image then stays, and a new image is
        deployed by its tag."""
        known = Pinned(olds["ref"], tuple(olds["volumes"]), olds["inspected"]) if olds else None
        if known is not None and news["release"] and news["release"] == olds.get("release"):
            return CheckResult({**news, **_added(known)}, [])
        # The program has refused passwords in clear.
        logins = configured_logins(self._config, self._config.keys()).logins
        with docker_environment(logins_for(news["reference"], logins)) as environ:
            ask = run if environ is None else partial(run, environ=environ)
            found, warning = resolve(news["reference"], known, ask)
        if warning:
            warn(warning)
        return CheckResult({**news, **_added(found)}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep the inputs."""
        return CreateResult(props["reference"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep the inputs."""
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The deployed image: only `check` contacts the registry."""
        return ReadResult(id_, props, {key: props[key] for key in ("reference", "release", *_ADDED)})


@dataclass(frozen=True)
class Pinned:
    """The inputs that `check` adds: see `PinnedImageProvider`."""

    ref: str
    volumes: tuple[str, ...] = ()
    inspected: bool = False


def _added(pinned: Pinned) -> dict[str, Any]:
    return {**asdict(pinned), "volumes": list(pinned.volumes)}


def resolve(reference: str, known: Pinned | None, ask: Run) -> tuple[Pinned, str]:
    """The image that *reference* names now, and a warning or "". *known* is the deployed image; *ask* runs the
    commands: one, and a second one for a new image."""
    try:
        ref = pin(reference, _answer(ask, manifest_argv(reference)))
    except Unreadable as error:
        if known is None or known.ref == reference:
            return Pinned(reference), tag_warning(reference, str(error))
        return known, kept_warning(reference, known.ref, str(error))
    if known is not None and known.ref == ref and known.inspected:
        return known, ""
    try:
        volumes = config_volumes(_answer(ask, config_argv(ref)))
    except Unreadable:
        return Pinned(ref), ""  # the next preview tries again
    return Pinned(ref, volumes, inspected=True), ""


def _answer(ask: Run, argv: Sequence[str]) -> str:
    """The output of a command. Raises Unreadable with the error of the failed program."""
    try:
        done = ask(argv, _ASK_SEC)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"it did not answer within {_ASK_SEC:.0f} s") from error
    except OSError as error:
        raise Unreadable(f"`{' '.join(argv)}` could not be started: {error}") from error
    if done.code != 0:
        raise Unreadable(done.errors)
    return done.output


class PinnedImage(Resource):
    """An image that others push. *ref* is ``redis:7@sha256:...``, or *reference* itself if its registry has never
    answered; *volumes* are the paths that it declares as volumes."""

    ref: pulumi.Output[str]
    volumes: pulumi.Output[list[str]]

    def __init__(self, name: str, *, reference: str, release: str, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {"reference": reference, "release": release, **dict.fromkeys(_ADDED)}
        super().__init__("PinnedImage", name, inputs, opts)
