"""One suite on several machines: shard ``n/m`` is the n-th of m parts. Pure."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["SECONDS", "Shard", "group_of", "in_shard", "seconds_of"]

# Their tests share what takes long to make: a machine with the real fleetd, the life of a stack on AWS.
_WHOLE_FOLDERS = ("tests/contract", "tests/local/aws")
# About how many seconds the groups took with three workers on two processors, by pytest's --durations.
SECONDS = {
    "tests/e2e/test_scaling_ahead.py": 860,
    "tests/e2e/test_two_stacks.py": 720,
    "tests/faults/test_bad_images.py": 660,
    "tests/e2e/test_release_cycle.py": 640,
    "tests/faults/test_kills.py": 600,
    "tests/e2e/test_drift.py": 560,
    "tests/e2e/test_ported_units.py": 520,
    "tests/faults/test_agent_programs.py": 520,
    "tests/e2e/test_secrets.py": 440,
    "tests/faults/test_cluster_faults.py": 410,
    "tests/faults/test_heartbeats.py": 390,
    "tests/e2e/test_member_changes.py": 380,
    "tests/e2e/test_tasks.py": 380,
    "tests/e2e/test_deploy.py": 360,
    "tests/e2e/test_proxied_requests.py": 330,
    "tests/e2e/test_day_2.py": 310,
    "tests/e2e/test_day.py": 300,
    "tests/e2e/test_secure_cluster.py": 280,
    "tests/e2e/test_local_cluster.py": 270,
    "tests/contract": 230,
    "tests/e2e/test_deploy_errors.py": 180,
    "tests/e2e/test_data.py": 170,
    "tests/e2e/test_status_and_logs.py": 150,
}
_SECONDS_OF_A_TEST = 40


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


def seconds_of(group: str, tests: int) -> int:
    """About how many seconds the *tests* of *group* take: as measured, or by their number."""
    return SECONDS.get(group, tests * _SECONDS_OF_A_TEST)


def in_shard(groups: Iterable[str], shard: Shard) -> frozenset[str]:
    """Those of *groups* (one entry for each test) that are in *shard*. The longest groups are dealt first, each to the
    shard that has the least to do so far, so every group is in exactly one shard."""
    seconds = {group: seconds_of(group, tests) for group, tests in Counter(groups).items()}
    loads = [0] * shard.count
    chosen = set()
    for group in sorted(seconds, key=lambda group: (-seconds[group], group)):
        least = loads.index(min(loads))
        loads[least] += seconds[group]
        if least == shard.number - 1:
            chosen.add(group)
    return frozenset(chosen)
