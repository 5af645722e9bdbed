"""``PinnedImage``: an image that others push, named by the digest that its tag has when a release is deployed first."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.engine.dynamic_resource import Resource, warn
from fleetcaptain.fleet.process_output import Finished, run
from fleetcaptain.release.pinned import config_argv, config_volumes, kept_warning, manifest_argv, pin, tag_warning
from fleetcaptain.untrusted import Unreadable

__all__ = ["Pinned", "PinnedImage", "PinnedImageProvider", "resolve"]

# Twice that at most, and all images side by side: a registry that is down must not hold a deployment up.
_ASK_SEC = 4.0
_ADDED = ("ref", "volumes", "inspected")

# Runs a command for at most so many seconds.
Run = Callable[[Sequence[str], float], Finished]


class PinnedImageProvider(ResourceProvider):
    """Asks the registry of an image for the digest of its tag, with the operator's own logins.

    Inputs: ``reference``, a name with or without a tag; ``release``, the name that was given to the release, or "". A
    named release keeps its images: its contents never change. `check` adds to it, so that a preview already knows them:
    ``ref``, the reference with the digest; ``volumes``, the paths that this image declares as such, empty when it was
    not ``inspected`` for them. Outputs: the inputs.
    """

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Ask the registry. Warns when it cannot be asked: what was deployed stays then, and a new image is deployed by
        its tag."""
        known = Pinned(olds["ref"], tuple(olds["volumes"]), olds["inspected"]) if olds else None
        if known is not None and news["release"] and news["release"] == olds.get("release"):
            return CheckResult({**news, **_added(known)}, [])
        found, warning = resolve(news["reference"], known, run)
        if warning:
            warn(warning)
        return CheckResult({**news, **_added(found)}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep what was found."""
        return CreateResult(props["reference"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep what was found."""
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What was deployed: `check` is what asks again."""
        return ReadResult(id_, props, {key: props[key] for key in ("reference", "release", *_ADDED)})


@dataclass(frozen=True)
class Pinned:
    """What `check` adds: see `PinnedImageProvider`."""

    ref: str
    volumes: tuple[str, ...] = ()
    inspected: bool = False


def _added(pinned: Pinned) -> dict[str, Any]:
    return {**asdict(pinned), "volumes": list(pinned.volumes)}


def resolve(reference: str, known: Pinned | None, ask: Run) -> tuple[Pinned, str]:
    """The image that *reference* names now, and what to warn of, or "". *known* is what was deployed of it; *ask* runs
    the commands, of which only an image that is not known yet costs a second one."""
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
        return Pinned(ref), ""  # the next preview asks again
    return Pinned(ref, volumes, inspected=True), ""


def _answer(ask: Run, argv: Sequence[str]) -> str:
    """What a command prints. Raises Unreadable when it fails, in the words of whoever said why."""
    try:
        done = ask(argv, _ASK_SEC)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"it did not answer within {_ASK_SEC:.0f} s") from error
    except OSError as error:
        raise Unreadable(f"`{' '.join(argv)}` does not run: {error}") from error
    if done.code != 0:
        raise Unreadable(done.errors)
    return done.output


class PinnedImage(Resource):
    """An image that others push. *ref* is ``redis:7@sha256:...``, or *reference* itself while its registry was never
    able to answer; *volumes* are the paths that it declares as volumes."""

    ref: pulumi.Output[str]
    volumes: pulumi.Output[list[str]]

    def __init__(self, name: str, *, reference: str, release: str, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {"reference": reference, "release": release, **dict.fromkeys(_ADDED)}
        super().__init__("PinnedImage", name, inputs, opts)
