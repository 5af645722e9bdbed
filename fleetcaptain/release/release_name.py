"""The name of a release: configured, or from the git commit."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path, PurePosixPath

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import Build
from fleetcaptain.release.git import changed_files, commit_of

__all__ = ["Naming", "ReleaseName", "release_name"]

_DIGITS = 7
_DIRTY = "-dirty"
_SHOWN = 3
# etcd hides parts that begin with other characters; two dots lead to another key.
_TAG = re.compile(r"(?=.{1,128}\Z)(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9][A-Za-z0-9._+@-]*)*")
_RULE = (
    "it must have at most 128 letters, digits and . _ / + @ -, begin with a letter or digit, also after each /, and "
    "have no two dots in a row"
)


class Naming(Enum):
    """Where a name comes from: it was *given*, it is that of the *commit* that has all deployed files, or only the
    *contents* tell the release from others."""

    GIVEN = "given"
    COMMIT = "commit"
    CONTENTS = "contents"


@dataclass(frozen=True)
class ReleaseName:
    """The *base* of a release's tag, and its *naming*. *notice*: what the user should know of the name, if anything."""

    base: str
    naming: Naming = Naming.GIVEN
    notice: str = field(default="", compare=False)

    @property
    def exact(self) -> bool:
        """Whether the base says which files are deployed."""
        return self.naming is not Naming.CONTENTS

    def with_hash(self, contents: Mapping[str, str]) -> str:
        """The base and a hash of the *contents* (service -> unit hash)."""
        lines = "".join(f"{service} {content}\n" for service, content in sorted(contents.items()))
        return f"{self.base}-{hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]}"

    def tag(self, contents: Mapping[str, str], available: Mapping[str, Mapping[str, str]]) -> str:
        """The tag of a release with these *contents*, where *available* are those of releases that were available once:
        tag -> service -> unit hash. Each release has its own tag, so that it can be rolled back to.

        A commit decides the files, but not all contents: secrets, settings of the stack, base images and FleetCaptain's
        own texts change without a commit. So its second release gets the hash as well. A given name stays as it is;
        the release's record refuses other contents.
        """
        if self.naming is Naming.GIVEN:
            return self.base
        hashed = self.with_hash(contents)
        taken = hashed in available or available.get(self.base, contents) != contents
        return hashed if taken or not self.exact else self.base


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
        return ReleaseName("dev", Naming.CONTENTS)
    changed = _changed(commit.top, root, builds, sources)
    name = ReleaseName(commit.name, Naming.COMMIT)
    if changed:
        name = ReleaseName(f"{commit.name}{_DIRTY}", Naming.CONTENTS)
    remedy = "Name the release with `pulumi config set fleetcaptain:release TAG`, or give the commit another git tag"
    _checked(name.with_hash({}), remedy)
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
    files = {file for path in sources for file in (path, path.resolve()) if file.is_relative_to(top)}
    contexts = [BuildContext.of(root, build) for build in builds]
    for context in contexts:
        files |= {context.dockerfile, context.dockerfile.resolve(), context.ignore}
    selections = [(context.folder, context.selection()) for context in contexts]

    def counts(path: Path) -> bool:
        return path in files or any(
            path.is_relative_to(folder) and selection.sends(PurePosixPath(path.relative_to(folder)))
            for folder, selection in selections
        )

    folders = dict.fromkeys(folder for folder, _ in selections)
    return changed_files(top, [*folders, *sorted(files)], counts)


def _checked(tag: str, remedy: str) -> str:
    if not _TAG.fullmatch(tag):
        raise ReleaseRefused(f"{tag!r} is not a valid release name. Nothing was changed:", [_RULE, f"{remedy}."])
    return tag
