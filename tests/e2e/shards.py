"""One suite on several machines: shard ``n/m`` is the n-th of m parts. Pure."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Shard", "group_of", "in_shard"]

# Their tests share what takes long to make: a machine with the real fleetd, the life of a stack on AWS.
_WHOLE_FOLDERS = ("tests/contract", "tests/local/aws")


@dataclass(frozen=True)
class Shard:
    """Part *number* (from 1) of *count* parts."""

    number: int
    count: int

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
    """Those of *groups* (one entry for each test) that are in *shard*. The groups with the most tests are dealt first,
    each to the shard that has the fewest tests so far, so every group is in exactly one shard."""
    sizes = [0] * shard.count
    chosen = set()
    for group, tests in sorted(Counter(groups).items(), key=lambda entry: (-entry[1], entry[0])):
        least = sizes.index(min(sizes))
        sizes[least] += tests
        if least == shard.number - 1:
            chosen.add(group)
    return frozenset(chosen)
