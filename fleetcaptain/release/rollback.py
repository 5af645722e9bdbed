"""Rollback to an earlier release: its target, obstacles and order, and the command that does it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from fleetcaptain.discovery.documents import Release
from fleetcaptain.errors import ReleaseRefused, UnitRefused
from fleetcaptain.printable import printable
from fleetcaptain.release.images import ImageState, reference
from fleetcaptain.release.repository import Releases
from fleetcaptain.release.service_release import Part
from fleetcaptain.schedule.window import time_zone
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.public_address import routes_of
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.untrusted import readable

__all__ = [
    "DEPLOY_FLEETFILE",
    "RequestedRollback",
    "images_of",
    "obstacles",
    "order_back",
    "refused_release",
    "rollback_command",
    "rollback_target",
    "stack_option",
    "unknown_release",
]

DEPLOY_FLEETFILE = (
    "To deploy the Fleetfile instead, run `pulumi up`, after `pulumi config rm fleetcaptain:rollbackTo` if the stack's "
    "settings pin a release."
)
_SHOWN = 10


@dataclass(frozen=True)
class RequestedRollback:
    """The release *tag* to deploy instead of the Fleetfile: for one deployment, as `captain rollback` asks, or as long
    as the stack's settings pin it. *pinned*: the release that they pin, "" if none."""

    VARIABLE: ClassVar[str] = "FLEETCAPTAIN_ROLLBACK_TO"
    """The variable of the environment with the tag, which is not in the stack's settings."""

    tag: str
    pinned: str = ""

    @classmethod
    def of(cls, pinned: str, environ: Mapping[str, str]) -> Self | None:
        """The request of the settings and of *environ*, which has precedence; None to deploy the Fleetfile."""
        tag = environ.get(cls.VARIABLE, "") or pinned
        return cls(tag, pinned) if tag else None

    @property
    def notice(self) -> str:
        """What the user must know during the deployment and after it."""
        sentences = [f"Deploying the release {self.tag} instead of the Fleetfile."]
        if not self.pinned:
            sentences.append("The next `pulumi up` deploys the Fleetfile again.")
        elif self.pinned != self.tag:
            sentences.append(f"The next `pulumi up` deploys {self.pinned}, which the stack's settings pin.")
        if self.pinned:
            sentences.append("To deploy the Fleetfile again, run `pulumi config rm fleetcaptain:rollbackTo`.")
        return " ".join(sentences)


def rollback_command(tag: str, stack: str) -> str:
    """The command that rolls *stack* (``project/stack``, "" if unknown) back to the release *tag*."""
    name = stack_option(stack)
    return f"captain rollback {tag}{f' --stack {name}' if name else ''}"


def stack_option(stack: str) -> str:
    """The value of ``--stack`` for *stack*: without its project, unless an organization comes before that."""
    return stack if stack.count("/") > 1 else stack.rpartition("/")[2]


def rollback_target(
    releases: Releases, tag: str | None, changed: Collection[str], command: Callable[[str], str]
) -> Release:
    """The release that a rollback goes to: *tag*, or `_default`. *changed*: the services that do not run as the current
    release has them. *command* makes the command for another tag.

    Raises ReleaseRefused if there is none, or if it is what runs. A rollback to the current release may have been
    interrupted after it became current, so it can be run again."""
    chosen = tag or _default(releases, command)
    if not chosen:
        raise ReleaseRefused(
            "Cannot roll back: there is no earlier release. Nothing was changed.",
            ["Fix the Fleetfile and run `pulumi up`."],
        )
    manifest = releases.named(chosen)
    if manifest is None:
        raise unknown_release(chosen, releases)
    if chosen == releases.current and not changed and not releases.is_rolled_back:
        raise ReleaseRefused(
            f"Cannot roll back to {chosen}: it is the current release, and all services run it. Nothing was changed.",
            _further(releases, chosen, command),
        )
    return manifest


def _default(releases: Releases, command: Callable[[str], str]) -> str:
    """The tag of the release before the one that was deployed last, whether or not that deployment succeeded; of a
    rollback that has not ended its target, so that the same command continues.

    Raises ReleaseRefused after a rollback that ended: the release before is the one that it left."""
    rollback = releases.rollback
    if rollback is not None and releases.pending == rollback.target:
        return rollback.target
    if releases.pending not in ("", releases.current):
        return releases.current
    if rollback is None or not releases.is_rolled_back:
        return releases.previous
    current, left = releases.named(releases.current), releases.named(rollback.left)
    is_newer = current is not None and left is not None and left.when > current.when and not left.unfinished
    again = [f"To go forward again, run `{command(rollback.left)}`."] if is_newer else []
    raise ReleaseRefused(
        f"Cannot choose a release: {releases.current} is the current one because of a rollback"
        f"{f' from {rollback.left}' if rollback.left else ''}. Nothing was changed.",
        [
            f"If that rollback was interrupted, continue it with `{command(releases.current)}`.",
            *_further(releases, releases.current, command),
            *again,
        ],
    )


def _further(releases: Releases, tag: str, command: Callable[[str], str]) -> list[str]:
    """How to go back from *tag*: to the last complete release from before it, if there is one. By their dates, because
    a rollback moves its target to the end."""
    since = next((one.when for one in releases.manifests if one.tag == tag), "")
    before = [one for one in releases.manifests if one.when < since and not one.unfinished]
    return [f"To go back further, run `{command(max(before, key=lambda one: one.when).tag)}`."] if before else []


def images_of(manifests: Iterable[Release]) -> tuple[str, ...]:
    """Every image of *manifests*, once."""
    found = {release.image for manifest in manifests for release in manifest.services.values() if release.image}
    return tuple(sorted(found))


def obstacles(
    manifest: Release,
    texts: Mapping[str, str],
    images: Mapping[str, ImageState],
    secrets: Collection[str] = (),
    ownership: Ownership | None = None,
) -> tuple[str, ...]:
    """Why *manifest* cannot be rolled back to; empty when it can. *secrets*: the digests of those that etcd has.
    *ownership*: of the stack that rolls back, if known. An image whose state is unknown is no obstacle: the rollout
    pulls it before it changes anything."""
    if manifest.unfinished:
        return ("it has never been available as a whole",)
    found = []
    for service, release in sorted(manifest.services.items()):
        text = texts.get(release.unit_hash)
        if text is None:
            found.append(f"{service}: etcd no longer has the text of its unit ({release.unit_hash[:7]})")
        elif _content(text) != release.unit_hash:
            found.append(f"{service}: the text of its unit ({release.unit_hash[:7]}) was changed in etcd")
        elif printable(text) != text:
            found.append(
                f"{service}: the text of its unit ({release.unit_hash[:7]}) has characters that cannot be shown"
            )
        else:
            file = UnitFile.parse(text)
            found += _of_others(ownership, service, file) if ownership else ()
            if lost := sorted(name for name, digest in file.secrets.items() if digest not in secrets):
                found.append(f"{service}: etcd no longer has the value of {', '.join(lost)} that the release had")
        found += [
            f"{service}: this computer does not know the time zone {window.timezone} of the window {window.name}; "
            "update its package tzdata"
            for window in release.windows
            if readable(time_zone, window.timezone) is None
        ]
        if images.get(release.image) is ImageState.GONE:
            image = reference(release.image)
            found.append(f"{service}: the image {release.image} is gone from the registry {image.registry}")
    return tuple(found)


def _of_others(ownership: Ownership, service: str, file: UnitFile) -> Iterator[str]:
    """Why the unit would not be the stack's: its recorded text has another mark, or none."""
    if file.mark is None:
        yield f"{service}: its unit has no mark of FleetCaptain, so no stack could remove it"
    elif file.mark != Mark(ownership.app, ownership.stack, service):
        mark = file.mark
        yield f"{service}: its unit is marked as {mark.service} of the app {mark.app!r}, stack {mark.stack}"


def refused_release(tag: str, problems: Iterable[str]) -> ReleaseRefused:
    """The error for the release *tag*, which the *problems* keep from being deployed again."""
    advice = "Choose another release: `captain releases` shows the ones that you can roll back to."
    return ReleaseRefused(f"Cannot roll back to {tag}. Nothing was changed:", [*problems, advice])


def unknown_release(tag: str, releases: Releases) -> ReleaseRefused:
    """The error for a *tag* that no release has."""
    there = [manifest.tag for manifest in reversed(releases.manifests) if not manifest.unfinished]
    named = f"Choose one of {', '.join(there[:_SHOWN])}" if there else "Deploy a release first"
    return ReleaseRefused(
        f"Cannot roll back to {tag}: no such release. Nothing was changed.",
        [f"{named} (see `captain releases`). {DEPLOY_FLEETFILE}"],
    )


def order_back(parts: Iterable[Part], running: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Service -> the services that must be rolled before it.

    A deployment rolls a service after those that it requires. A rollback rolls it before them, so that a required
    service is never older than its dependents. But a required service that does not run (*running* are those that do)
    must start before its dependents. That makes no cycle: along ``x before y`` a step up the requirements starts at a
    service that does not run, and a step down ends at one that does, so no step up follows a step down. The proxy is
    rolled after the services that it leads to, as in a deployment: nothing follows it.
    """
    parts = tuple(parts)
    before: dict[str, list[str]] = {part.service: [] for part in parts}
    for part in parts:
        # fleet places a unit only once the unit whose machine it follows is placed; a running one is placed already.
        peers = (peer for peer in part.peers if peer not in running)
        for needed in dict.fromkeys((*part.requires, *peers)):
            if needed not in before:
                continue
            first, then = (part.service, needed) if needed in running else (needed, part.service)
            before[then].append(first)
        routed = dict.fromkeys(route.service for route in routes_of(part.unit))
        before[part.service] += (name for name in routed if name in before and name not in before[part.service])
    return {service: tuple(others) for service, others in before.items()}


def _content(text: str) -> str:
    """The hash of *text*; empty for what is no text of a unit."""
    try:
        return UnitFile.parse(text).unit_hash
    except (UnitRefused, UnicodeEncodeError):
        return ""
