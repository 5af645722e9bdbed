"""The name of a release: configured, or from the git commit."""

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
# etcd hides parts that begin with other characters; two dots lead to another key.
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
        """The tag. A base that is not exact gets a hash of the *contents* (service -> unit hash), so that each release
        has its own tag and can be rolled back to."""
        if self.exact:
            return self.base
        lines = "".join(f"{service} {content}\n" for service, content in sorted(contents.items()))
        return f"{self.base}-{hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]}"


def release_name(
    configured: str | None, root: Path, builds: Collection[Build] = (Build(),), sources: Collection[Path] = ()
) -> ReleaseName:
    """The configured tag, else the output of ``git describe`` for *root*, the app's folder, else ``dev``.

    ``dev`` gets a hash of the contents; so does a commit's name if a deployed file differs from the commit: the files
    in the images of *builds*, and *sources*, the files that the Fleetfile reads. Raises ReleaseRefused when git fails,
    and for a tag that is not valid as a key of etcd or on a terminal."""
    if configured:
        return ReleaseName(_checked(configured, "Change fleetcaptain:release"))
    commit = commit_of(root)
    if commit is None:
        return ReleaseName("dev", exact=False)
    changed = _changed(commit.top, root, builds, sources)
    name = ReleaseName(commit.name) if not changed else ReleaseName(f"{commit.name}{_DIRTY}", exact=False)
    remedy = "Name the release with `pulumi config set fleetcaptain:release TAG`, or give the commit another git tag"
    _checked(name.tag({}), remedy)
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        names = ", ".join(os.path.relpath(path, commit.top) for path in changed[:_SHOWN])
        notice = (
            f"The release is named {name.base}-... because these files differ from the commit: {names}{more}. To name "
            "it after a commit, commit or revert them, or exclude them in .dockerignore if the image does not need "
            "them."
        )
        return replace(name, notice=notice)
    return name


def _changed(top: Path, root: Path, builds: Collection[Build], sources: Collection[Path]) -> list[Path]:
    """The files of *builds* below *root*, and of *sources*, that differ from the commit of the repository *top*.
    Sources outside of the repository are ignored: no commit can have them."""
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


def _checked(tag: str, remedy: str) -> str:
    if not _TAG.fullmatch(tag):
        raise ReleaseRefused(f"{tag!r} is not a valid release name. Nothing was changed:", [_RULE, f"{remedy}."])
    return tag
