"""Loads a Fleetfile: runs the file, and lists every mistake in it at once."""

from __future__ import annotations

import ast
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetcaptain.errors import FleetCaptainError, FleetfileError
from fleetcaptain.fleetfile.problem import Problem
from fleetcaptain.fleetfile.resolve import Lines, Notes, resolve
from fleetcaptain.fleetfile.together import check_together
from fleetcaptain.fleetfile.values import App
from fleetcaptain.fleetfile.words import Fleetfile, Service, heard

__all__ = ["load"]

_NAME = "Fleetfile.py"


def load(path: Path) -> App:
    """The app in the Fleetfile at *path*, a file or its folder. Raises FleetfileError with all mistakes."""
    file = (path / _NAME if path.is_dir() else path).resolve()
    try:
        source = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FleetfileError(
            "There is no Fleetfile:",
            [
                f"{file}: {error}",
                "write one (docs/fleetfile.md), or point fleetcaptain:project at the folder with yours",
            ],
        ) from error
    fleetfile = _run(file, source)
    notes = Notes(file.name, _keyword_lines(source), [])
    app = resolve(fleetfile, file.parent, notes, Path.exists)
    said = fleetfile.said["services"]
    services = [service for service in (said if isinstance(said, list | tuple) else ()) if isinstance(service, Service)]
    if len(services) == len(app.services):
        app = check_together(app, {str(service.name): service.place for service in services}, notes)
    if notes.problems:
        ordered = sorted(notes.problems, key=lambda problem: problem.line)
        count = "one mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
        raise FleetfileError(f"{file} has {count}; nothing was touched:", [str(problem) for problem in ordered])
    return app


def _run(file: Path, source: str) -> Fleetfile:
    made: list[Fleetfile] = []
    token = heard.set(made)
    try:
        with _importable(file.parent):
            exec(compile(source, str(file), "exec"), {"__name__": "Fleetfile", "__file__": str(file)})  # noqa: S102
    except FleetCaptainError:
        raise
    except BaseException as error:
        # SystemExit and its like too: the program must not end before it has declared what there is.
        if isinstance(error, SyntaxError) and error.filename == str(file):
            raise _broken(file, error.lineno or 0, f"{error.msg}") from error
        line, within = _lines_of(error, file)
        raise _broken(file, line, f"{within}{_reason_of(error)}") from error
    finally:
        heard.reset(token)
    if len(made) != 1:
        what = "it makes no Fleetfile(...)" if not made else f"it makes {len(made)} Fleetfile(...); one is wanted"
        raise _broken(file, made[-1].place.line if made else 1, what)
    return made[0]


def _broken(file: Path, line: int, what: str) -> FleetfileError:
    problem = Problem(file.name, line, "", "", what)
    return FleetfileError(f"{file} cannot be read; nothing was touched:", [str(problem)])


def _lines_of(error: BaseException, file: Path) -> tuple[int, str]:
    """The last line of the Fleetfile itself that *error* came through; and in which line of a module beside it, as
    ``module.py:3: ``, or ""."""
    line, within = 0, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path == file:
            line, within = number, ""
        elif path.is_relative_to(file.parent):
            within = f"{path.relative_to(file.parent)}:{number}: "
    return line, within


def _reason_of(error: BaseException) -> str:
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, Exception):
        return what
    return (
        f"it ended early ({what}). To refuse a deployment, raise an exception that says why, such as "
        'ValueError("REGION is not set")'
    )


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the Fleetfile can be imported while it runs, and are forgotten after."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and Path(origin).is_relative_to(folder):
                del sys.modules[name]


def _keyword_lines(source: str) -> Lines:
    """Line of a call -> keyword -> line."""
    found: dict[int, dict[str, int]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            lines = {keyword.arg: keyword.value.lineno for keyword in node.keywords if keyword.arg}
            found.setdefault(node.lineno, {}).update(lines)
    return found
