"""The files of a build: those of its folder that its ``.dockerignore`` and its ``only`` let through."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from fleetcaptain.fleetfile.dockerignore import excludes, ignore_file, ignored_lines, is_sent
from fleetcaptain.fleetfile.values import Build

__all__ = ["BuildContext", "Selection", "unmatched"]


@dataclass(frozen=True)
class Selection:
    """Which files of a folder go to the builder: those that every one of *lists*, the lines of a ``.dockerignore``
    each, lets through."""

    lists: tuple[Sequence[str], ...]

    def excludes(self, path: PurePosixPath) -> bool:
        """Whether surely nothing of the folder *path* goes to the builder."""
        return any(excludes(lines, path) for lines in self.lists)

    def sends(self, path: PurePosixPath) -> bool:
        """Whether the file *path* goes to the builder."""
        return all(is_sent(lines, path) for lines in self.lists)

    def files(self, folder: Path, always: Path | None = None) -> Iterator[Path]:
        """The files and symbolic links of *folder* that go to the builder, and *always*, in a fixed order."""
        for parent, folders, names in os.walk(folder):
            links = [name for name in folders if (Path(parent) / name).is_symlink()]
            folders[:] = sorted(name for name in folders if not self.excludes(_below(folder, parent, name)))
            for name in sorted({*names, *links}):
                path = Path(parent) / name
                if path == always or self.sends(_below(folder, parent, name)):
                    yield path


@dataclass(frozen=True)
class BuildContext:
    """The files of a build: those of *folder* that match the patterns *only*, all without any; and its *dockerfile*."""

    folder: Path
    dockerfile: Path
    only: tuple[str, ...] = ()

    @classmethod
    def of(cls, root: Path, build: Build) -> Self:
        """That of *build* in a Fleetfile in the folder *root*."""
        folder = (root / build.context).resolve()
        return cls(folder, folder / build.dockerfile, tuple(build.only))

    @property
    def ignore(self) -> Path:
        """The ``.dockerignore`` that applies; it need not exist."""
        return ignore_file(self.folder, self.dockerfile)

    def selection(self) -> Selection:
        """What of the folder goes to the builder, as its ``.dockerignore`` is now."""
        ignored = ignored_lines(self.ignore)
        return Selection((ignored, _only(self.only)) if self.only else (ignored,))

    def files(self) -> Iterator[Path]:
        """What goes to the builder, the Dockerfile included, in a fixed order."""
        yield from self.selection().files(self.folder, self.dockerfile)
        if not self.dockerfile.is_relative_to(self.folder):
            yield self.dockerfile


def unmatched(context: BuildContext) -> list[str]:
    """Why patterns of *context*'s ``only`` select nothing, one message for each such pattern."""
    ignored = ignored_lines(context.ignore)
    found = []
    for pattern in context.only:
        if any(Selection((ignored, _only([pattern]))).files(context.folder)):
            continue
        if pattern.split("/")[0] == "..":
            why = "is outside the build's folder; name files below it, or choose another folder for Build"
        elif any(Selection((_only([pattern]),)).files(context.folder)):
            why = f"{context.ignore} excludes every file that it matches; change one of them"
        else:
            why = f"matches no file in {context.folder}; correct it, or remove it"
        found.append(f"Build(only=...): {pattern!r}: {why}")
    return found


def _only(patterns: Sequence[str]) -> list[str]:
    """The lines of a ``.dockerignore`` that excludes all but *patterns*."""
    return ["**", *(f"!{pattern}" for pattern in patterns)]


def _below(folder: Path, parent: str, name: str) -> PurePosixPath:
    return PurePosixPath((Path(parent) / name).relative_to(folder))
