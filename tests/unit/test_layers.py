"""Which modules import which, and which use the network: the layers of docs/architecture.md."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Each package of the library, and all others of it that its modules import. Some modules stand below their package: a
# Fleetfile's checks ask too what a unit may be called and where it may run, and what a window is. Whoever may import
# the package may import them.
MAY: dict[str, set[str]] = {
    "errors": set(),
    "untrusted": set(),
    "printable": set(),
    "image_reference": set(),
    "registry_login": {"image_reference"},
    "styled": {"printable"},
    "text_table": {"printable"},
    "net": {"errors"},
    "schedule.window": {"untrusted"},
    "schedule.window_plan": {"untrusted", "schedule.window"},
    "schedule.window_event": {"untrusted"},
    "units.names": set(),
    "units.xfleet": {"units.names"},
    "fleetfile": {
        "errors",
        "untrusted",
        "printable",
        "image_reference",
        "schedule.window",
        "units.names",
        "units.xfleet",
    },
    "units": {"errors", "printable", "fleetfile", "units.names", "units.xfleet"},
    "machine": set(),
    "waiting": set(),
    "mode": set(),
    "operator_policy": set(),
    "members": {"errors", "net", "machine"},
    "fleet": {"errors", "untrusted", "net", "units"},
    "discovery": {"errors", "untrusted", "printable", "image_reference", "schedule.window", "mode", "net"},
    "agent": {"units", "discovery"},
    "hooks": {"errors", "printable"},
    "history": {"untrusted", "printable", "discovery"},
    "schedule": {
        "untrusted",
        "printable",
        "styled",
        "text_table",
        "discovery",
        "history",
        "schedule.window",
        "schedule.window_plan",
        "schedule.window_event",
    },
    "proxy": {"fleetfile", "units"},
    "release": {
        "errors",
        "untrusted",
        "printable",
        "text_table",
        "image_reference",
        "registry_login",
        "schedule",
        "mode",
        "fleetfile",
        "units",
        "fleet",
        "discovery",
        "proxy",
    },
    "rollout": {
        "errors",
        "untrusted",
        "printable",
        "waiting",
        "mode",
        "units",
        "fleet",
        "discovery",
        "agent",
        "history",
        "schedule",
        "release",
    },
    "doctor": {"untrusted", "units", "fleet", "discovery", "rollout"},
    "tasks": {"errors", "untrusted", "printable", "fleet", "fleetfile", "units", "discovery", "rollout"},
    "oneoff": {"errors", "fleetfile", "units", "fleet", "discovery", "release", "rollout"},
    "data": {"errors", "printable", "waiting", "units", "fleet", "schedule", "oneoff", "rollout"},
    "secrets": {"errors", "text_table", "machine", "units", "fleet", "discovery", "release", "rollout"},
    "securing": {"errors", "printable", "machine", "fleet", "discovery", "rollout"},
    "status": {
        "errors",
        "untrusted",
        "printable",
        "styled",
        "mode",
        "members",
        "units",
        "fleet",
        "discovery",
        "history",
        "release",
        "rollout",
        "tasks",
        "schedule",
    },
    "localcluster": {
        "errors",
        "untrusted",
        "printable",
        "waiting",
        "machine",
        "members",
        "units",
        "fleet",
        "discovery",
    },
    "logs": {"errors", "untrusted", "printable", "units", "fleet"},
    "cli": {
        "errors",
        "printable",
        "mode",
        "operator_policy",
        "fleetfile",
        "units",
        "fleet",
        "discovery",
        "agent",
        "history",
        "release",
        "rollout",
        "data",
        "doctor",
        "logs",
        "oneoff",
        "secrets",
        "securing",
        "schedule",
        "status",
        "styled",
        "text_table",
        "untrusted",
    },
}
# The parts of the program, each above those that it may import: `cluster`, `aws`, `host` and `engine` are folders,
# and `resources` all modules beside them. Clusters do not know what stands on them; nothing imports the host.
PARTS: dict[str, set[str]] = {
    "engine": set(),
    "cluster": {"engine"},
    "aws": {"engine", "cluster"},
    "resources": {"engine", "cluster", "aws"},
    "host": {"engine", "cluster", "aws", "resources"},
}
# The ways out to a terminal, and who owns each: all texts pass `printable` there. typer prints the words of its caller.
OUTLETS: dict[str, set[str]] = {
    "print": set(),
    "pulumi.log": {"components.engine.diagnostics"},
    "pulumi.info": set(),
    "pulumi.warn": set(),
    "pulumi.error": set(),
    "sys.stdout": {
        "components.host.provider_service",
        "fleetcaptain.cli.printer",
        "fleetcaptain.cli.terminal_output",
        "tools.__main__",
    },
    "sys.stderr": {"components.engine.diagnostics", "fleetcaptain.cli.printer", "tools.__main__"},
    "engine_pb2.LogRequest": {"components.engine.dynamic_resource"},
    "context.abort": {"components.host.provider_service"},
    "logging.getLogger": {"fleetcaptain.discovery.log"},
    "typer.echo": set(),
    "typer.secho": set(),
}
# Modules that can open a connection, or start a program that does.
NETWORK = {"http", "http.client", "requests", "socket", "subprocess", "urllib.request", "urllib3", "etcd"}
NETWORKED = {
    "fleetcaptain.cli.releases_command",  # with --etcd, asks registries for images
    "fleetcaptain.cli.target_cluster",  # asks pulumi for the stack's outputs
    "fleetcaptain.data.volume_transfer",
    "fleetcaptain.discovery.identity",  # the name of the host, nothing else
    "fleetcaptain.discovery.keys_api",
    "fleetcaptain.discovery.etcd_store",
    "fleetcaptain.doctor.examine",  # starts the tools of this computer for their versions
    "fleetcaptain.fleet.port_forward",
    "fleetcaptain.fleet.process_output",
    "fleetcaptain.fleet.transport",
    "fleetcaptain.fleet.tunnel",
    "fleetcaptain.hooks.hook_process",  # runs hooks
    "fleetcaptain.localcluster.cluster_ready",  # whether sshd listens
    "fleetcaptain.localcluster.docker_client",
    "fleetcaptain.localcluster.machines",  # makes a key by ssh-keygen
    "fleetcaptain.logs.journal_process",
    "fleetcaptain.net.pools",
    "fleetcaptain.oneoff.guard",
    "fleetcaptain.oneoff.remote_session",
    "fleetcaptain.release.git",
    "fleetcaptain.rollout.lock",  # the name of the host, nothing else
}


def modules(*folders: str) -> dict[str, ast.Module]:
    """Dotted name -> the parsed module, for every file below *folders*."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text()) for path in files}


LIBRARY, PROGRAM, TOOLS = modules("fleetcaptain"), modules("components"), modules("tools")
ALL = {**LIBRARY, **PROGRAM, **TOOLS}


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that *tree* imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (name for alias in node.names if (name := f"{node.module}.{alias.name}") in ALL)


def foreign(trees: Mapping[str, ast.Module], forbidden: Callable[[str], bool]) -> list[str]:
    """The imports of *trees* whose first word is *forbidden*."""
    return [
        f"{name} imports {found}"
        for name, tree in trees.items()
        for found in imports(tree)
        if forbidden(found.partition(".")[0])
    ]


def called(tree: ast.Module) -> Iterator[str]:
    """Every name, and every name of a module's part, that *tree* uses or imports: ``print``, ``pulumi.log``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def part(name: str) -> str:
    """The part of the program to which a module belongs."""
    _, folder, *rest = name.split(".")
    return folder if rest else "resources"


def layer(name: str, importer: str = "") -> str:
    """The layer of `MAY` to which a module of the library belongs, as the layer *importer* sees it."""
    package, _, module = name.removeprefix("fleetcaptain.").partition(".")
    below = f"{package}.{module}"
    return below if below in MAY and package not in MAY.get(importer, ()) else package


def test_the_packages_of_the_library_import_one_another_in_one_direction() -> None:
    """As `MAY` says, no more and no less; fleetcaptain/__init__.py, which exports the users' names, is free."""
    arrows = {
        (layer(name), layer(found, layer(name)), name)
        for name, tree in LIBRARY.items()
        for found in imports(tree)
        if found.startswith("fleetcaptain.") and name != "fleetcaptain.__init__"
    }
    offenders = [
        f"{name} imports {other}" for own, other, name in sorted(arrows) if other not in {own, *MAY.get(own, ())}
    ]
    unused = {(own, other) for own, others in MAY.items() for other in others} - {arrow[:2] for arrow in arrows}
    offenders += [f"MAY allows {own} to import {other}, which it does not" for own, other in sorted(unused)]
    assert offenders == []


def test_every_package_is_in_a_layer() -> None:
    """A new package has to be put into `MAY`, which is in the order of the layers."""
    offenders = sorted({layer(name) for name in LIBRARY} - {"__init__"} ^ MAY.keys())
    order = list(MAY)
    upward = {(own, other) for own in order for other in MAY[own] if order.index(other) > order.index(own)}
    offenders += [f"{own} may import {other}, a layer above it" for own, other in sorted(upward)]
    assert offenders == []


def test_the_library_does_not_import_pulumi() -> None:
    """It can be used, and tested, without them; `localcluster` alone drives docker."""
    outside = {"grpc", "components", "tools", "tests", "bench"}
    assert foreign(LIBRARY, lambda root: root.startswith("pulumi") or root in outside) == []
    drivers = {
        name for name, tree in LIBRARY.items() if "docker" in {found.partition(".")[0] for found in imports(tree)}
    }
    assert {name.split(".")[1] for name in drivers} == {"localcluster"}


def test_few_modules_of_the_library_use_the_network() -> None:
    """All others take values and return values."""
    users = {name for name, tree in LIBRARY.items() if NETWORK & set(imports(tree))}
    assert sorted(users ^ NETWORKED) == []


def test_each_way_to_a_terminal_is_one_modules() -> None:
    """So a text that was not made printable cannot pass."""
    trees = {**ALL, "__main__": ast.parse((ROOT / "__main__.py").read_text())}
    used = {name: set(called(tree)) for name, tree in trees.items()}
    assert {outlet: {name for name, found in used.items() if outlet in found} for outlet in OUTLETS} == OUTLETS


def test_no_text_of_others_is_decoded_strictly() -> None:
    """A byte that is no UTF-8 must not hide a reason: whatever is decoded says what then stands for such bytes. `bytes`
    whose form is known, as what an encoder made, need not."""
    known = {
        "fleetcaptain.printable",
        "fleetcaptain.untrusted",
        "fleetcaptain.fleet.ssh",
        "components.aws.workers",
    }
    offenders = []
    for name, tree in {**ALL, "__main__": ast.parse((ROOT / "__main__.py").read_text())}.items():
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            words = {keyword.arg for keyword in node.keywords}
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            decodes = method == "read_text" or (method == "decode" and name not in known)
            runs = method in ("run", "Popen") and words & {"text", "universal_newlines", "encoding"}
            if (decodes or runs) and "errors" not in words:
                offenders.append(f"{name}:{node.lineno}")
    assert offenders == []


def test_the_program_depends_neither_on_its_tests_nor_on_the_toolchain() -> None:
    """It runs without both."""
    assert foreign(PROGRAM, lambda root: root in {"tools", "tests", "bench"}) == []


def test_the_toolchain_needs_nothing_but_python() -> None:
    """It runs before there is a virtual environment. What makes texts printable needs nothing else either."""
    own = {"fleetcaptain.printable", "fleetcaptain.printable.printable", "fleetcaptain.printable.excerpt"}
    trees = {name: {found for found in imports(tree) if found not in own} for name, tree in TOOLS.items()}
    roots = {(name, found.partition(".")[0]) for name, found_in in trees.items() for found in found_in}
    assert {one for one in roots if one[1] != "tools" and one[1] not in sys.stdlib_module_names} == set()
    assert foreign({"": LIBRARY["fleetcaptain.printable"]}, lambda root: root not in sys.stdlib_module_names) == []


def test_the_parts_of_the_program_import_one_another_in_one_direction() -> None:
    """As `PARTS` says, no more and no less."""
    arrows = {
        (part(name), part(found), name)
        for name, tree in PROGRAM.items()
        for found in imports(tree)
        if found in PROGRAM and name != "components.__init__"
    }
    offenders = [f"{name} imports {other}" for own, other, name in sorted(arrows) if other not in {own, *PARTS[own]}]
    unused = {(own, other) for own, others in PARTS.items() for other in others} - {arrow[:2] for arrow in arrows}
    offenders += [f"PARTS allows {own} to import {other}, which it does not" for own, other in sorted(unused)]
    assert offenders == []


def test_all_errors_are_in_one_tree() -> None:
    """In `fleetcaptain.errors`, whose docstring lists them with their exit codes."""
    known = {node.name for node in LIBRARY["fleetcaptain.errors"].body if isinstance(node, ast.ClassDef)}
    offenders = [
        f"{name}.{node.name}"
        for name, tree in ALL.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and {base.id for base in node.bases if isinstance(base, ast.Name)} & known
    ]
    assert [offender for offender in offenders if not offender.startswith("fleetcaptain.errors.")] == []
    listed = ast.get_docstring(LIBRARY["fleetcaptain.errors"]) or ""
    assert sorted(name for name in known if not name.startswith("_") and f"{name} (" not in listed) == []


def test_every_module_lists_what_is_public() -> None:
    """In ``__all__``, if it defines anything."""
    offenders = []
    for name, tree in ALL.items():
        assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
        names = {target.id for target in assigned if isinstance(target, ast.Name)}
        defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign) for node in tree.body)
        if defines and "__all__" not in names and not name.endswith("__main__"):
            offenders.append(name)
    assert offenders == []
