"""Who may import whom, and who may speak to the network: the layers of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each package, with all of ours that it may import besides itself.
MAY: dict[str, set[str]] = {
    "fleetcaptain.errors": set(),
    "fleetcaptain.fleetfile": {"errors"},
    "fleetcaptain.units": {"errors", "fleetfile"},
    "fleetcaptain.machine": {"errors", "fleetfile"},
    "fleetcaptain.members": {"errors", "machine"},
    "fleetcaptain.fleet": {"errors", "units"},
    "fleetcaptain.discovery": {"errors", "units"},
    "fleetcaptain.release": {"errors", "fleetfile", "units", "discovery"},
    "fleetcaptain.rollout": {"errors", "fleetfile", "units", "fleet", "discovery", "release"},
    "fleetcaptain.cli": {"errors", "fleetfile", "units", "fleet", "discovery", "release", "rollout"},
}
# Modules that can open a connection, or start a program that does.
NETWORK = {"http", "http.client", "requests", "socket", "subprocess", "urllib.request", "urllib3", "etcd"}
NETWORKED = {
    "fleetcaptain.cli.releases",  # with --etcd, asks registries for images
    "fleetcaptain.cli.site",  # asks pulumi for the stack's outputs
    "fleetcaptain.discovery.identity",  # the name of the host, nothing else
    "fleetcaptain.discovery.keysapi",
    "fleetcaptain.discovery.store",
    "fleetcaptain.fleet.line",
    "fleetcaptain.fleet.transport",
    "fleetcaptain.fleet.tunnel",
    "fleetcaptain.fleet.unixsocket",
    "fleetcaptain.rollout.owner",  # the name of the host, nothing else
}


def modules(*folders: str) -> dict[str, ast.Module]:
    """Dotted name -> the parsed module, for every file below *folders*."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text()) for path in files}


LIBRARY, PROGRAM, TOOLS = modules("fleetcaptain"), modules("components"), modules("tools")


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that *tree* names in an import, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def roots(tree: ast.Module) -> set[str]:
    """The first word of each."""
    return {name.partition(".")[0] for name in imports(tree)}


def package(name: str) -> str:
    """Its first two words."""
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("name", LIBRARY)
def test_imports_go_one_way(name: str) -> None:
    """errors <- fleetfile <- units, machine <- fleet, discovery <- release <- rollout <- cli; the top names the users'
    words."""
    if name == "fleetcaptain.__init__":
        return
    ours = {package(found) for found in imports(LIBRARY[name]) if found.startswith("fleetcaptain.")}
    allowed = {f"fleetcaptain.{other}" for other in MAY[package(name)]} | {package(name)}
    assert ours <= allowed


def test_every_package_has_its_place() -> None:
    """One that is added has to be put into a layer."""
    assert {package(name) for name in LIBRARY} - {"fleetcaptain.__init__"} == set(MAY)


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_knows_neither_pulumi_nor_docker(name: str) -> None:
    """It can be used, and tested, without them."""
    assert not roots(LIBRARY[name]) & {"pulumi", "pulumi_docker_build", "docker", "grpc", "components", "tools"}


@pytest.mark.parametrize("name", LIBRARY)
def test_few_modules_touch_the_network(name: str) -> None:
    """All else takes and returns values."""
    assert bool(set(imports(LIBRARY[name])) & NETWORK) == (name in NETWORKED)


@pytest.mark.parametrize("name", PROGRAM)
def test_the_program_does_not_depend_on_what_builds_it(name: str) -> None:
    """Neither on the tests nor on the toolchain."""
    assert not roots(PROGRAM[name]) & {"tools", "tests"}


@pytest.mark.parametrize("name", [*LIBRARY, *PROGRAM, *TOOLS])
def test_every_module_says_what_is_public(name: str) -> None:
    """By ``__all__``; an empty file has nothing to say."""
    tree = {**LIBRARY, **PROGRAM, **TOOLS}[name]
    if name.endswith("__main__") or not tree.body:
        return
    named = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign)]
    assert "__all__" in named or not defined
