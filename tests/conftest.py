"""What all tests share: marks, groups, and one stack for each worker that runs tests on clusters."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.example import example
from tests.e2e.leftovers import begin_run, clear
from tests.e2e.prerequisites import require
from tests.e2e.shards import Shard, group_of, in_shard, seconds_of
from tests.e2e.stack import Stack, stack_name

_FOLDERS = ("e2e", "faults", "local")
_FAILED = pytest.StashKey[bool]()
_TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--shard 2/3``: the second third of the tests, for machines that share the work."""
    parser.addoption("--shard", type=Shard.parse, default=Shard(1, 1), help="n/m: run only this part of m parts")


def pytest_configure(config: pytest.Config) -> None:
    """All that the run starts carries its mark, so that what is left of it can be found. A run that is asked to end
    removes what it made, as after ^C."""
    if not hasattr(config, "workerinput"):
        begin_run()
        # Else each of some thousand processes would compile the program again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        # Else each pulumi tries for seconds to download the plugins of AWS, whose packages are there for other tests.
        os.environ["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        # Else pip, which each pulumi calls, asks the network for its own newest version.
        os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by its folder."""
    for name in _FOLDERS:
        if _TESTS / name in item.path.parents:
            item.add_marker(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of other shards out, and begin with the groups that take longest."""
    shard: Shard = config.getoption("--shard")
    tests = Counter(group_of(item.nodeid) for item in items)
    chosen = in_shard(tests.elements(), shard)
    if items and not chosen:
        raise pytest.UsageError(f"Shard {shard} is empty: there are fewer groups of tests. Use fewer shards.")
    others = [item for item in items if group_of(item.nodeid) not in chosen]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if group_of(item.nodeid) in chosen]
    seconds = {group: seconds_of(group, number) for group, number in tests.items()}
    items.sort(key=lambda item: -seconds[group_of(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole groups, in the order of the tests."""
    from tests.e2e.scheduling import Groups

    config.option.loadscopereorder = False
    return Groups(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember that a test failed, at its beginning or end too: the next one does not begin with what it left."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        item.config.stash[_FAILED] = True
    return report  # type: ignore[return-value]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """What the run left, as a worker does that was killed, is removed and named, and the run fails."""
    yield
    if hasattr(session.config, "workerinput"):
        return
    left = clear()
    if left:
        # Not that of failed tests, which may run once more.
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        print(f"\nRemoved what the tests left behind: {', '.join(left)}")


@pytest.fixture(scope="session")
def _engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A Docker engine that answers, Pulumi, and the machines' image. Without them the run stops, and says why once."""
    problem = require(tmp_path_factory.getbasetemp().parent)
    if problem:
        request.session.shouldfail = problem
        pytest.fail(problem, pytrace=False)


@pytest.fixture(scope="session")
def deployed(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """This worker's stack: three machines with the example on it."""
    home = tmp_path_factory.mktemp("e2e")
    stack = Stack(stack_name(), example(home / "app"), home / "pulumi")
    try:
        stack.must("up", "--yes")  # as a user's first one, with a preview
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def stack(deployed: Stack) -> Stack:
    """The same stack as it was first deployed: each module begins with that, whatever ran before."""
    deployed.begins_with = {}
    deployed.reset()
    return deployed


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> None:
    """After a test that failed, the next one begins with the stack as it was first deployed."""
    if "stack" in request.fixturenames:
        stack = request.getfixturevalue("stack")
        if isinstance(stack, Stack) and request.config.stash.get(_FAILED, False):
            request.config.stash[_FAILED] = False
            stack.reset()
