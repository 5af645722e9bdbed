"""What a release is called."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile.values import Build
from fleetcaptain.release.build_context import ignore_file, ignored_lines, is_sent
from fleetcaptain.release.git import changed_files, commit_of

__all__ = ["ReleaseName", "release_name"]

_DIGITS = 7
_DIRTY = "-dirty"
_SHOWN = 3
# Parts that begin otherwise are hidden by etcd, or lead elsewhere; so do two dots.
_TAG = re.compile(r"(?=.{1,128}\Z)(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9][A-Za-z0-9._+@-]*)*")
_RULE = (
    "it must have at most 128 letters, digits and . _ / + @ -, begin with a letter or digit, also after each /, and "
    "have no two dots in a row"
)


@dataclass(frozen=True)
class ReleaseName:
    """The *base* of a release's tag; it is the whole tag when it is *exact*. *notice*: what the user should know of the
    name; empty when there is nothing."""

    base: str
    exact: bool = True
    notice: str = field(default="", compare=False)

    def tag(self, contents: Mapping[str, str]) -> str:
        """The tag. Where the release has no name of its own, the *contents* of its services tell it from the
        next one, so that each can be gone back to."""
        if self.exact:
            return self.base
        lines = "".join(f"{service} {content}\n" for service, content in sorted(contents.items()))
        return f"{self.base}-{hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]}"


def release_name(
    configured: str | None, root: Path, builds: Collection[Build] = (Build(),), sources: Collection[Path] = ()
) -> ReleaseName:
    """The configured tag, else what ``git describe`` says of the commit in *root*, the app's folder, else ``dev``.

    The last one is completed by the contents, and so is that of a commit when not all that is deployed is in it: the
    files that go into the images of *builds*, and *sources*, those that the Fleetfile reads. Raises ReleaseRefused when
    git does not say, and for a tag, whoever gave it, that etcd would take for something else or a terminal must not
    show."""
    if configured:
        return ReleaseName(_checked(configured, "Change fleetcaptain:release"))
    commit = commit_of(root)
    if commit is None:
        return ReleaseName("dev", exact=False)
    changed = _changed(commit.top, root, builds, sources)
    name = ReleaseName(commit.name) if not changed else ReleaseName(f"{commit.name}{_DIRTY}", exact=False)
    way_out = "Name the release with `pulumi config set fleetcaptain:release TAG`, or give the commit another git tag"
    _checked(name.tag({}), way_out)
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        names = ", ".join(os.path.relpath(path, commit.top) for path in changed[:_SHOWN])
        notice = (
            f"The release is {name.base}-..., as what it deploys is not all in the commit: {names}{more}. To name it "
            f"{commit.name}, commit or remove these files; what the image does not need, exclude in .dockerignore."
        )
        return replace(name, notice=notice)
    return name


def _changed(top: Path, root: Path, builds: Collection[Build], sources: Collection[Path]) -> list[Path]:
    """What goes into *builds* below *root*, or is one of *sources*, and is not as in the commit of the repository
    *top*. What the Fleetfile reads outside of it, no commit could have."""
    contexts: dict[Path, list[list[str]]] = {}
    files = {file for path in sources for file in (path, path.resolve()) if file.is_relative_to(top)}
    for build in builds:
        context = (root / build.context).resolve()
        dockerfile = context / build.dockerfile
        ignore = ignore_file(context, dockerfile)
        contexts.setdefault(context, []).append(ignored_lines(ignore))
        files |= {dockerfile, dockerfile.resolve(), ignore}

    def counts(path: Path) -> bool:
        return path in files or any(
            is_sent(lines, PurePosixPath(path.relative_to(context)))
            for context, ignores in contexts.items()
            if path.is_relative_to(context)
            for lines in ignores
        )

    return changed_files(top, [*contexts, *sorted(files)], counts)


def _checked(tag: str, way_out: str) -> str:
    if not _TAG.fullmatch(tag):
        raise ReleaseRefused(f"{tag!r} cannot be the name of a release; nothing was changed:", [_RULE, f"{way_out}."])
    return tag
