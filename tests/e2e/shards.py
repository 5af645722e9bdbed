"""One suite on several machines: shard ``n/m`` is the n-th of m parts. Pure."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Shard", "group_of", "in_shard"]

# Their tests share what takes long to make: a machine with the real fleetd, the life of a stack on AWS. Each test takes
# moments, so such a folder takes no longer than some tests of a module.
_WHOLE_FOLDERS = ("tests/contract", "tests/local/aws")
_FOLDER_WEIGHT = 4


@dataclass(frozen=True)
class Shard:
    """Part *number* (from 1) of *count* parts."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard in ``n/m``. Raises argparse.ArgumentTypeError."""
        match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
        if match is None or int(match[1]) > int(match[2]):
            raise argparse.ArgumentTypeError(f"{text!r} is not a shard: write n/m with n from 1 to m, such as 2/3")
        return cls(int(match[1]), int(match[2]))


def group_of(test: str) -> str:
    """What the test with the id *test* (``tests/x/test_y.py::test_z``) shares a worker with: its module, or folder."""
    module = test.partition("::")[0]
    return next((folder for folder in _WHOLE_FOLDERS if module.startswith(f"{folder}/")), module)


def in_shard(groups: Iterable[str], shard: Shard) -> frozenset[str]:
    """Those of *groups* (one entry for each test) that are in *shard*. The largest groups are dealt first, each to the
    shard that has the least to do so far, so every group is in exactly one shard."""
    sizes = {group: _size(group, tests) for group, tests in Counter(groups).items()}
    loads = [0] * shard.count
    chosen = set()
    for group in sorted(sizes, key=lambda group: (-sizes[group], group)):
        least = loads.index(min(loads))
        loads[least] += sizes[group]
        if least == shard.number - 1:
            chosen.add(group)
    return frozenset(chosen)


def _size(group: str, tests: int) -> int:
    return min(tests, _FOLDER_WEIGHT) if group in _WHOLE_FOLDERS else tests
