"""A cluster belongs to its checkout: moved, that goes on with it; a copy is refused everything, and changes nothing."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.localcluster.machines import remove_all
from tests.e2e.example import example
from tests.e2e.leftovers import resources_of
from tests.e2e.stack import ROOT, Stack, stack_name

_APP = Path("examples/behavioral")
_LEFT_OUT = shutil.ignore_patterns(".git", ".tools", ".venv", ".fleetcaptain", "__pycache__", ".*_cache")


@pytest.fixture(scope="module")
def _made(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A checkout with its state in it, as `make up` keeps it."""
    root = tmp_path_factory.mktemp("checkouts") / "shop"
    shutil.copytree(ROOT, root, ignore=_LEFT_OUT)
    for name in (".tools", ".venv"):
        (root / name).symlink_to((ROOT / name).resolve())
    example(root / _APP)
    stack = _stack(root)
    try:
        yield stack
        stack.must("destroy", "--yes")
        assert stack.leftovers() == []
    finally:
        remove_all(stack.identity)


@pytest.fixture
def checkout(_made: Stack) -> Stack:
    """That checkout, and one machine with the example on it."""
    _made.up()
    return _made


def _stack(root: Path) -> Stack:
    return Stack(stack_name("e2e-checkouts"), _APP, root / ".fleetcaptain" / "pulumi", {"size": "1"}, root=root)


def _copy(stack: Stack, folder: Path) -> Stack:
    return stack.in_checkout(Path(shutil.copytree(stack.root, folder / "copy", symlinks=True)))


def _as_they_are(stack: Stack) -> dict[str, Any]:
    """The ids of all containers, and when they were started."""
    return {name: (one.id, one.attrs["State"]["StartedAt"]) for name, one in stack.containers().items()}


def _answers(stack: Stack) -> bool:
    url = stack.outputs()["endpoints"]["app_server"][0]
    with urllib.request.urlopen(f"{url}/health", timeout=5) as response:  # noqa: S310  from the stack
        return bool(response.status == 200)


def test_a_copy_is_refused_and_the_original_runs_on(checkout: Stack, tmp_path: Path) -> None:
    """Preview, up, destroy and `captain restart` name the original, without a refresh too."""
    before, resources = _as_they_are(checkout), sorted(resources_of(checkout.identity))
    copy = _copy(checkout, tmp_path)
    for command in (
        ("preview",),
        ("up", "--yes"),
        ("destroy", "--yes"),
        ("up", "--yes", "--skip-preview", "--refresh=false"),
        ("destroy", "--yes", "--refresh=false"),
    ):
        output = copy.fails(*command).output
        assert f"belongs to the checkout {checkout.root}" in output, command
        assert "Nothing was changed" in output, command
    done = copy.captain("restart", "app_server")
    assert done.code == 2
    assert f"belongs to the checkout {checkout.root}" in done.output
    assert (copy.folder / "id_ed25519").exists()
    assert _as_they_are(checkout) == before
    assert sorted(resources_of(checkout.identity)) == resources
    checkout.rests()
    assert _answers(checkout)


def test_a_moved_checkout_goes_on(checkout: Stack, tmp_path: Path) -> None:
    """It has nothing to do, `captain` finds the cluster, a copy is refused by the new name, and all of it goes."""
    before, home = _as_they_are(checkout), checkout.root
    copy = _copy(checkout, tmp_path)
    moved = checkout.in_checkout(home.rename(home.with_name("moved")))
    try:
        moved.preview()
        moved.rests()
        assert _as_they_are(moved) == before
        assert moved.captain("restart", "app_server").code == 0
        assert f"belongs to the checkout {moved.root}" in copy.fails("preview").output
        moved.must("destroy", "--yes")
        assert moved.leftovers() == []
    finally:
        moved.root.rename(home)


def test_a_copy_gets_a_cluster_of_its_own(checkout: Stack, tmp_path: Path) -> None:
    """By the commands that the refusal names. Both run side by side, and one goes without the other."""
    copy = _copy(checkout, tmp_path)
    assert f"pulumi stack rm {copy.name} --force --yes --preserve-config" in copy.fails("preview").output
    copy.must("stack", "rm", "--force", "--yes", "--preserve-config")
    shutil.rmtree(copy.folder)
    other = _stack(copy.root)
    try:
        other.up()
        assert other.outputs()["machines"] != checkout.outputs()["machines"]
        assert _answers(other)
        other.destroy()
        assert other.leftovers() == []
    finally:
        remove_all(other.identity)
    checkout.rests()
    assert _answers(checkout)
