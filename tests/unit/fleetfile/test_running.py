"""A Fleetfile runs as Python runs a module: what works in one works here, and nothing of it stays."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleetcaptain.errors import FleetCaptainError, FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import App
from tests.unit.fleetfile.written import HEAD

APP = 'Fleetfile(app="shop", services=[Service(NAME, image="web:1")])\n'


def written(folder: Path, text: str | bytes, beside: Mapping[str, str] | None = None) -> Path:
    """A Fleetfile that is *text*, and the files *beside* it."""
    for name, more in (beside or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(more)
    (folder / "Fleetfile.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def name_of(folder: Path, text: str, beside: Mapping[str, str] | None = None) -> str:
    """The name of the service in an app whose Fleetfile first sets ``NAME`` by *text*."""
    app: App = load(written(folder, f"{text}\n{HEAD}{APP}", beside))
    return app.services[0].name


def mistake(folder: Path, text: str | bytes, beside: Mapping[str, str] | None = None) -> str:
    """What is said about a Fleetfile with 1 error."""
    with pytest.raises(FleetfileError) as error:
        load(written(folder, text, beside))
    (problem,) = error.value.problems
    return problem


@pytest.mark.parametrize(
    "text",
    [
        "from dataclasses import dataclass\n@dataclass\nclass Of:\n    name: str = 'web'\nNAME = Of().name",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Of:\n"
        "    name: str = 'web'\nNAME = Of().name",
        "import pickle\nclass Of:\n    name = 'web'\nNAME = pickle.loads(pickle.dumps(Of())).name",
        "import typing\nclass Of:\n    name: 'Of'\nassert typing.get_type_hints(Of) == {'name': Of}\nNAME = 'web'",
        "import typing\nclass Of(typing.NamedTuple):\n    name: str = 'web'\nNAME = Of().name",
        "import enum\nclass Of(enum.Enum):\n    WEB = 'web'\nNAME = Of.WEB.value",
        "def of(name: str): pass\nassert of.__annotations__ == {'name': str}\nNAME = 'web'",
        "import sys\nassert sys.modules[__name__].__dict__ is globals()\nNAME = 'web'",
        "import pathlib\nassert pathlib.Path(__file__).name == 'Fleetfile.py'\nNAME = 'web'",
        "assert __spec__.name == __name__ and __loader__ is __spec__.loader\nNAME = 'web'",
        "import inspect\ndef of(): pass\nassert inspect.getsource(of).startswith('def of')\nNAME = 'web'",
        "if __name__ == '__main__':\n    raise SystemExit\nNAME = 'web'",
        "import multiprocessing\nNAME = 'web'",
    ],
)
def test_what_works_in_a_module_works(tmp_path: Path, text: str) -> None:
    """What looks its own module up, and annotations as they are written."""
    assert name_of(tmp_path, text) == "web"


@pytest.mark.parametrize(
    ("beside", "text"),
    [
        ({"components.py": "NAME = 'web'"}, "from components import NAME"),
        ({"tools.py": "NAME = 'web'"}, "from tools import NAME"),
        ({"pytest.py": "NAME = 'web'"}, "import pytest\nNAME = pytest.NAME"),
        (
            {"components/__init__.py": "", "components/engine/diagnostics.py": "NAME = 'web'"},
            "from components.engine.diagnostics import NAME",
        ),
        ({"deploy/names.py": "NAME = 'web'"}, "from deploy.names import NAME"),
        ({"deploy/__init__.py": "from .names import NAME", "deploy/names.py": "NAME = 'web'"}, "from deploy import *"),
        ({"shared.py": "import other\nNAME = other.NAME", "other.py": "NAME = 'web'"}, "from shared import NAME"),
        ({"shared.py": "import Fleetfile\nNAME = Fleetfile.PART + 'b'"}, "PART = 'we'\nfrom shared import NAME"),
        ({"docker/compose.yaml": ""}, "import docker\nNAME = 'web' if docker.from_env else ''"),
        ({"queue.py": "x", "secrets.py": "x", "json.py": "x"}, "import logging.handlers, tempfile\nNAME = 'web'"),
        ({"fleetcaptain/__init__.py": "x"}, "NAME = 'web'"),
        ({"sub/x.txt": ""}, "import os\nos.chdir(os.path.join(os.path.dirname(__file__), 'sub'))\nNAME = 'web'"),
        (
            {"common/names.py": "NAME = 'web'"},
            "import sys\nsys.path.insert(0, __file__[:-12] + 'common')\nfrom names import NAME",
        ),
    ],
)
def test_modules_beside_it_are_found_and_forgotten(tmp_path: Path, beside: dict[str, str], text: str) -> None:
    """Before what is loaded or installed under their name. What they are to the process afterwards is nothing."""
    before = dict(sys.modules), [*sys.path], [*sys.meta_path], Path.cwd(), sys.dont_write_bytecode
    assert name_of(tmp_path, text, beside) == "web"
    assert {
        name for name, module in sys.modules.items() if str(tmp_path) in str(module.__dict__.get("__file__"))
    } == set()
    assert {name: module for name, module in sys.modules.items() if name in before[0]} == before[0]
    assert "Fleetfile" not in sys.modules
    assert ([*sys.path], [*sys.meta_path], Path.cwd(), sys.dont_write_bytecode) == before[1:]
    assert [*tmp_path.rglob("__pycache__")] == []


def test_a_module_is_read_again_each_time(tmp_path: Path) -> None:
    """Also when it has the same size and time as before, and its cache is there."""
    for name in ("web", "app"):
        beside = {"shared.py": f"NAME = {name!r}"}
        assert name_of(tmp_path, "from shared import NAME", beside) == name
        os.utime(tmp_path / "shared.py", (1, 1))


@pytest.mark.parametrize(
    ("beside", "text", "reason"),
    [
        (
            "json.py",
            "import os\nimport json",
            "Fleetfile.py:2: `json` is ambiguous: json.py has the same name as a mod",
        ),
        ("queue.py", "from queue import Queue", "Fleetfile.py:1: `queue` is ambiguous"),
        ("logging/__init__.py", "import logging.handlers", "logging/__init__.py has the same name as a module of Py"),
        ("fleetcaptain.py", HEAD, "fleetcaptain.py has the same name as FleetCaptain. Rename fleetcaptain.py"),
    ],
)
def test_a_name_that_means_two_modules_is_refused(tmp_path: Path, beside: str, text: str, reason: str) -> None:
    """Python's own come first, so the other one cannot be meant."""
    assert reason in mistake(tmp_path, text, {beside: ""})
    assert "same name as" in mistake(tmp_path, "import shared", {beside: "", "shared.py": text})


@pytest.mark.parametrize("text", ["from . import shared", "from .shared import NAME", "import helper"])
def test_a_relative_import_says_what_to_write(tmp_path: Path, text: str) -> None:
    """In the Fleetfile, or in a module beside it."""
    beside = {"shared.py": "NAME = 'web'", "helper.py": "from . import shared"}
    assert "write `import NAME`, not `from . import`" in mistake(tmp_path, text, beside)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xef\xbb\xbf",
        b"# -*- coding: utf-8 -*-\n",
        b"\xef\xbb\xbf# coding: utf-8\n",
        b"#!/usr/bin/env python3\r\n",
    ],
)
def test_a_file_of_any_encoding_that_it_names_is_read(tmp_path: Path, head: bytes) -> None:
    """As Python reads it; a description has its letters."""
    services = 'services=[Service("web", image="web:1", description="Café")]'
    load(written(tmp_path, head + f'{HEAD}Fleetfile(app="shop", {services})'.encode()))
    latin = b"# vim: set fileencoding=latin-1 :\n" + f'{HEAD}Fleetfile(app="shop", {services})'.encode("latin-1")
    assert load(written(tmp_path, latin)).services[0].description == "Café"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\n# café\n".encode("latin-1"), 2),
        ("x = 1\n\ny = 'café'\n".encode("latin-1"), 3),
        (b"# coding: nope\n", 1),
        (b"# coding: hex\n", 1),
        (b"\xef\xbb\xbf# coding: latin-1\n", 1),
        (b"# coding: ascii\nx = '\xc3\xa9'\n", 2),
        ("x = 1\n".encode("utf-16"), 1),
        (b"\xff" * 9, 1),
    ],
)
def test_a_file_in_another_encoding_says_so(tmp_path: Path, text: bytes, line: int) -> None:
    """It is there: "Could not find a Fleetfile" is not the reason. The same in a module beside it."""
    assert mistake(tmp_path, text).startswith(f"Fleetfile.py:{line}: the file is not in its declared encoding (")
    (tmp_path / "shared.py").write_bytes(text)
    problem = mistake(tmp_path, "import shared")
    assert f"(shared.py, line {line})" in problem


@pytest.mark.parametrize("text", [b"x = 1\n\0\n", b"x = " + b"-" * 100_000 + b"1", b"x = " + b"(" * 500])
def test_what_python_cannot_compile_is_a_mistake(tmp_path: Path, text: bytes) -> None:
    """Whatever error Python has for it."""
    assert mistake(tmp_path, text).startswith("Fleetfile.py:1: ")


def test_a_mistake_has_the_file_in_which_it_was_made(tmp_path: Path) -> None:
    """A service that a module beside it makes; each keyword in its own line. The Fleetfile's come first."""
    beside = {
        "shared.py": f"{HEAD}\n\nWEB = Service(\n    'web',\n    image='web:1',\n    instances=0,\n)\n",
        "deploy/db.py": f"{HEAD}def db(**more):\n    return Service('db', image='db:1', **more)\n",
    }
    text = (
        f"import shared\nfrom deploy.db import db\n{HEAD}"
        'Fleetfile(app="shop", services=[shared.WEB, db(instances=0),\n  Service("x", image="x:1", comand=1)])\n'
    )
    with pytest.raises(FleetfileError) as error:
        load(written(tmp_path, text, beside))
    places = [problem.partition(": instances")[0].partition(": comand")[0] for problem in error.value.problems]
    assert places == [
        "Fleetfile.py:5: service 'x'",
        "deploy/db.py:3: service 'db'",
        "shared.py:7: service 'web'",
    ]


def test_an_app_that_a_module_declares_is_its_own(tmp_path: Path) -> None:
    """All of it may stand beside the Fleetfile; two apps are one too many, wherever the second is."""
    second = {"shared.py": f'{HEAD}APP = Fleetfile(app="Shop", services=[Service("web", image="web:1")])\n'}
    assert mistake(tmp_path, "import shared", second).startswith("shared.py:2: app: ")
    app = 'Fleetfile(app="shop", services=[Service("web", image="web:1")])\n'
    assert "Fleetfile.py:2: the file creates 2 Fleetfile(...)" in mistake(
        tmp_path, f"{HEAD}{app}import shared", second
    ).replace("shared.py:2", "Fleetfile.py:2")


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import signal; signal.raise_signal(signal.SIGINT)", "KeyboardInterrupt"),
        ("import _thread, time; _thread.interrupt_main(); time.sleep(9)", "KeyboardInterrupt"),
        ("exit()", "SystemExit: None"),
        ("quit(0)", "SystemExit: 0"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("class Odd(SystemExit):\n    def __str__(self): raise SystemExit\nraise Odd", "Odd"),
        ("def end(): raise SystemExit\nend()", "SystemExit"),
        ("import atexit; atexit.register(print); raise SystemExit(2)", "SystemExit: 2"),
    ],
)
def test_whatever_ends_the_loading_has_file_and_line(tmp_path: Path, ending: str, reason: str) -> None:
    """In the Fleetfile, or in a module beside it."""
    line = ending.count("\n") + 1
    if "def end" in ending:
        line = 1
    assert f"the file ended early ({reason}). To refuse a deployment" in mistake(tmp_path, ending)
    assert mistake(tmp_path, "import shared", {"shared.py": ending}).startswith(
        f"Fleetfile.py:1: shared.py:{line}: the file ended"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Window('peak', at_last=5)", "Window(...) has no keyword at_last; it has name, at_least, ready_by"),
        (
            "Http(prot=80)",
            'Http(...) has no keyword prot; it has path, port, host, headers, https; did you mean "port"?',
        ),
        ("Tcp(zzz=1)", "Tcp(...) has no keyword zzz; it has port"),
    ],
)
def test_an_unknown_keyword_of_a_value_is_named_with_the_known_ones(tmp_path: Path, call: str, message: str) -> None:
    """As those of services are."""
    assert f"Fleetfile.py:2: {message}" in mistake(tmp_path, f"from fleetcaptain import Http, Tcp, Window\n{call}")


def test_a_keyword_of_a_class_of_their_own_is_pythons_error(tmp_path: Path) -> None:
    """It has nothing to do with ours, even if it has such a name."""
    text = "class Window:\n    def __init__(self): pass\nWindow(x=1)"
    assert mistake(tmp_path, text).endswith("TypeError: Window.__init__() got an unexpected keyword argument 'x'")


@pytest.mark.parametrize("declared", ["", f"NAME = 'web'\n{APP}"])
@pytest.mark.parametrize(("ending", "code"), [("pass", 0), ("raise SystemExit", 0), ("exit(3)", 3), ("1 / 0", 1)])
def test_a_forked_process_ends_with_the_fleetfile(tmp_path: Path, declared: str, ending: str, code: int) -> None:
    """Two processes would deploy otherwise. The one that forked goes on."""
    text = f"{HEAD}import os\nchild = os.fork()\n{declared}if not child:\n    {ending}\n"
    text += "end = child and os.wait()[1] >> 8\n"
    written(tmp_path, f"{text}NAME = f'web{{end}}'\n{'' if declared else APP}")
    here = os.getpid()
    try:
        found = load(tmp_path).services[0].name
    finally:
        if os.getpid() != here:
            os._exit(99)
    assert found == ("web" if declared else f"web{code}")


def test_an_error_of_fleetcaptains_own_has_its_line_too(tmp_path: Path) -> None:
    """A Fleetfile may call whatever is there."""
    text = "from fleetcaptain.errors import FleetCaptainError\nraise FleetCaptainError('no')"
    assert mistake(tmp_path, text) == f"Fleetfile.py:2: {FleetCaptainError.__name__}: no"


def test_a_folder_that_is_called_so_is_no_fleetfile(tmp_path: Path) -> None:
    """It says what it is."""
    (tmp_path / "Fleetfile.py").mkdir()
    with pytest.raises(FleetfileError, match=r"Could not find a Fleetfile:\n.*is not a file"):
        load(tmp_path)


def test_an_app_knows_what_its_fleetfile_read(tmp_path: Path) -> None:
    """Modules and other files; none of Python, of packages, or that it only looked for."""
    beside = {"shared.py": "", "deploy/__init__.py": "", "sizes.json": "{}", "other.py": "", "../common.txt": ""}
    text = (
        "import json, pathlib, yaml, os, shared, deploy\nfolder = pathlib.Path(__file__).parent\nNAME = 'web'\n"
        "json.loads((folder / 'sizes.json').read_text())\nos.path.exists(folder / 'other.py')\n"
        "open(os.path.relpath(folder.parent / 'common.txt')).close()\n(folder / 'log').write_text('')\n"
    )
    app = load(written(tmp_path, f"{HEAD}{text}{APP}", beside))
    names = ("Fleetfile.py", "deploy/__init__.py", "shared.py", "sizes.json")
    assert set(app.sources) == {*(tmp_path / name for name in names), tmp_path.parent / "common.txt"}


@pytest.mark.parametrize(
    "read",
    [
        "open(mode='rb', file=name)",
        "io.open(name, 'r+')",
        "open(os.open(name, os.O_RDONLY))",
        "open(os.open(path=name, flags=os.O_RDWR, mode=0o600))",
        "gzip.open(name)",
        "codecs.open(name, encoding='utf-8')",
    ],
)
def test_a_file_is_known_however_it_is_opened(read: str, tmp_path: Path) -> None:
    """And `open` is Python's own again afterwards."""
    python = (builtins.open, io.open, os.open)
    text = f"import codecs, gzip, io, os\nNAME, name = 'web', {str(tmp_path / 'a')!r}\n{read}.close()\n"
    app = load(written(tmp_path, f"{HEAD}{text}{APP}", {"a": ""}))
    assert tmp_path / "a" in app.sources
    assert python == (builtins.open, io.open, os.open)


@pytest.mark.parametrize("write", ["open(name, 'w')", "open(os.open(name, os.O_WRONLY), 'w')", "open(name, mode='ab')"])
def test_a_file_that_is_only_written_is_not_known(write: str, tmp_path: Path) -> None:
    """It is no source of the app."""
    text = f"import os\nNAME, name = 'web', {str(tmp_path / 'a')!r}\n{write}.close()\n"
    assert set(load(written(tmp_path, f"{HEAD}{text}{APP}", {"a": ""})).sources) == {tmp_path / "Fleetfile.py"}


@pytest.mark.parametrize(
    "read", ["open('conf.toml')", "open('etc/conf.toml', 'rb')", "__import__('pathlib').Path('a').stat()"]
)
def test_a_file_that_is_looked_for_elsewhere_is_explained(read: str, tmp_path: Path) -> None:
    """The working directory is not the Fleetfile's."""
    problem = mistake(tmp_path, f"\n{read}\n", {"conf.toml": "", "etc/conf.toml": ""})
    assert problem.startswith("Fleetfile.py:2: FileNotFoundError")
    assert f"Relative paths start at {Path.cwd()}; for a file beside this one write Path(__file__).parent" in problem


@pytest.mark.parametrize("services", ["(s for s in [])", "{'web': Service('web')}", "{'web': Service('web')}.values()"])
def test_services_that_are_no_list_are_called_by_their_type(services: str, tmp_path: Path) -> None:
    """With what to write instead."""
    problem = mistake(tmp_path, f"{HEAD}Fleetfile(app='shop', services={services})")
    assert "services: must be a list with at least one Service(...), not " in problem
    assert problem.endswith("; write list(...) around it")
