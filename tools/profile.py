"""Install profiles: running the program, running it on AWS, or developing FleetCaptain. Pure."""

from __future__ import annotations

import re
from enum import IntEnum

__all__ = ["WHEELS", "Profile", "profile_of"]

WHEELS = "tools/python"
"""The folder of the locks, and of the wheels of packages that are published as source only."""

_CLUSTER = re.compile(r"""^\s+["']?fleetcaptain:cluster["']?\s*:\s*["']?aws["']?\s*(?:#.*)?$""", re.MULTILINE)


class Profile(IntEnum):
    """Each profile includes the ones before it."""

    MAIN = 0
    AWS = 1
    TESTS = 2

    @property
    def extras(self) -> str:
        """The extras of pyproject.toml that it installs."""
        return ("cli,deploy", "cli,deploy,aws", "dev")[self]

    @property
    def locks(self) -> tuple[str, ...]:
        """The files with the versions and hashes that it is installed from. No package is in two."""
        return tuple(f"{WHEELS}/{profile.name.lower()}.lock" for profile in Profile if profile <= self)

    @property
    def pip_installs(self) -> tuple[tuple[str, ...], ...]:
        """The arguments of each ``pip install``, run in the project's folder. Packages are wheels whose hashes are in
        the locks, so none runs a program on installation. The setuptools of the locks add the project itself,
        without a look-up."""
        files = tuple(word for lock in self.locks for word in ("-r", lock))
        return (
            ("--require-hashes", "--only-binary", ":all:", "--find-links", WHEELS, *files),
            ("--no-index", "--no-deps", "--no-build-isolation", "-e", "."),
        )

    @property
    def modules(self) -> str:
        """Modules of the program that import all packages it uses."""
        program = "components.app, components.factory, fleetcaptain.cli"
        return program if self is Profile.MAIN else f"{program}, components.aws.coreos_cluster"

    @property
    def purpose(self) -> str:
        """Its purpose."""
        return ("the program", "a cluster on AWS", "the tests")[self]


def profile_of(settings: str, *, aws: bool = False, tests: bool = False) -> Profile:
    """The profile for the flags *aws* and *tests*, and for a stack whose ``Pulumi.<stack>.yaml`` is *settings*."""
    if tests:
        return Profile.TESTS
    return Profile.AWS if aws or _CLUSTER.search(settings) else Profile.MAIN
