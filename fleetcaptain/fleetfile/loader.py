"""Loads a Fleetfile: runs the file, and reports all of its errors at once."""

from __future__ import annotations

import ast
import os
import re
import traceback
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import values
from fleetcaptain.fleetfile.build_context import BuildContext, unmatched
from fleetcaptain.fleetfile.cross_checks import check_together
from fleetcaptain.fleetfile.dsl import Fleetfile, Service, SourceLocation, Task, declared
from fleetcaptain.fleetfile.modules import is_own, own_modules, parse_source, run_module
from fleetcaptain.fleetfile.service_specs import Errors, Files, Lines, name_of, resolve
from fleetcaptain.fleetfile.task_specs import check_tasks, resolve_tasks
from fleetcaptain.fleetfile.validation_error import Problem, did_you_mean, shown
from fleetcaptain.fleetfile.values import App

__all__ = ["load"]

_NAME = "Fleetfile.py"
_MODULE = "Fleetfile"
_UNKNOWN_KEYWORD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_BY_SETTING = "set fleetcaptain:project to the folder of your Fleetfile"
_NONE_MADE = (
    "the file creates no Fleetfile(...); create one at the top level, not in a thread and not under "
    '`if __name__ == "__main__":`, which does not run'
)


def load(path: Path, elsewhere: str = _BY_SETTING) -> App:
    """The app in the Fleetfile at *path*, a file or its folder. Raises FleetfileError with all errors; without a file
    it says how to name another one: *elsewhere*, by default as in a deployment."""
    file = (path / _NAME if path.is_dir() else path).resolve()
    if not file.is_file():
        raise FleetfileError(
            "Could not find a Fleetfile:",
            [
                f"{file}: {'is not a file' if file.exists() else 'does not exist'}",
                f"write one (docs/fleetfile.md), or {elsewhere}",
            ],
        )
    fleetfile, sources = _run(file)
    services = [entry for entry in _listed(fleetfile, "services") if isinstance(entry, Service)]
    tasks = [entry for entry in _listed(fleetfile, "tasks") if isinstance(entry, Task)]
    declarations: tuple[Fleetfile | Service | Task, ...] = (fleetfile, *services, *tasks)
    places = {declaration.place.file for declaration in declarations}
    errors = Errors(file.parent, {place: _keyword_lines(place) for place in places}, [])
    # Services that share an image share the answer.
    files = Files(file.parent, Path.exists, cache(lambda build: unmatched(BuildContext.of(file.parent, build))))
    app = replace(resolve(fleetfile, errors, files), sources=sources)
    app = replace(app, tasks=resolve_tasks(fleetfile, errors))
    if len(services) == len(app.services):
        app = check_together(app, {name_of(service): service.place for service in services}, errors)
        app = check_tasks(app, {name_of(task): task.place for task in tasks}, errors)
    if errors.problems:
        ordered = sorted(errors.problems, key=lambda problem: (problem.file != file.name, problem.file, problem.line))
        count = "1 error" if len(ordered) == 1 else f"{len(ordered)} errors"
        raise FleetfileError(f"{file} has {count}; nothing was changed:", [str(problem) for problem in ordered])
    return app


def _listed(fleetfile: Fleetfile, keyword: str) -> Sequence[object]:
    """The entries of the list *keyword*; none if it is no list."""
    entries = fleetfile.arguments[keyword]
    return entries if isinstance(entries, list | tuple) else ()


def _run(file: Path) -> tuple[Fleetfile, tuple[Path, ...]]:
    """The one Fleetfile(...) that *file* creates, and the files that it reads."""
    made: list[Fleetfile] = []
    token, process = declared.set(made), os.getpid()
    try:
        with own_modules(file.parent) as opened:
            run_module(_MODULE, file)
    except BaseException as error:
        # SystemExit and its like too: the program must not end before it has declared its resources.
        _end_fork(process, error)
        raise _failed(file, error) from error
    finally:
        declared.reset(token)
    _end_fork(process, None)
    if len(made) != 1:
        what = _NONE_MADE if not made else f"the file creates {len(made)} Fleetfile(...); create exactly one"
        place = made[-1].place if made else SourceLocation(str(file), 1)
        raise _broken(file, shown(place.file, file.parent), place.line, what)
    return made[0], tuple(sorted(opened))


def _end_fork(process: int, error: BaseException | None) -> None:
    """End a process that the Fleetfile forked from *process*: only *process* may continue and deploy."""
    if os.getpid() != process:
        code = error.code if isinstance(error, SystemExit) else error and 1
        os._exit(code if isinstance(code, int) else int(code is not None))


def _failed(file: Path, error: BaseException) -> FleetfileError:
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return _broken(file, file.name, error.lineno or 1, str(error.msg))
    line, within = _lines_of(error, file)
    return _broken(file, file.name, line or 1, f"{within}{_reason_of(error)}")


def _broken(file: Path, shown_as: str, line: int, what: str) -> FleetfileError:
    problem = Problem(shown_as, line, "", "", what)
    return FleetfileError(f"Failed to load {file}; nothing was changed:", [str(problem)])


def _lines_of(error: BaseException, file: Path) -> tuple[int, str]:
    """The last line of the Fleetfile itself that *error* came through; and in which line of a module beside it, as
    ``module.py:3: ``, or ""."""
    line, within = 0, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path == file:
            line, within = number, ""
        elif is_own(path, file.parent):
            within = f"{path.relative_to(file.parent)}:{number}: "
    return line, within


def _reason_of(error: BaseException) -> str:
    try:
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
    except BaseException:  # its __str__ may fail, too
        what = type(error).__name__
    if isinstance(error, TypeError) and (found := _UNKNOWN_KEYWORD.search(what)):
        return _unknown_keyword(error, *found.groups()) or what
    if isinstance(error, ImportError) and "attempted relative import" in what:
        return (
            f"{what}. A Fleetfile and the modules beside it are not a package; write `import NAME`, not `from . import`"
        )
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str) and not os.path.isabs(error.filename):
        return (
            f"{what}. Relative paths start at {Path.cwd()}; for a file beside this one write "
            f"Path(__file__).parent / ..."
        )
    if isinstance(error, Exception):
        return what
    return (
        f"the file ended early ({what}). To refuse a deployment, raise an exception that says why, such as "
        'ValueError("REGION is not set")'
    )


def _unknown_keyword(error: BaseException, name: str, keyword: str) -> str:
    """A call of the value *name* with a *keyword* that it does not have; "" if it is none of ours."""
    known = getattr(values, name, None)
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    # The file may have a class of its own with that name.
    if not isinstance(known, type) or not is_dataclass(known) or frame.f_globals.get(name, known) is not known:
        return ""
    keywords = [field.name for field in fields(known)]
    return f"{name}(...) has no keyword {keyword}; it has {', '.join(keywords)}{did_you_mean(keyword, keywords)}"


def _keyword_lines(file: str) -> Lines:
    """Line of a call in *file* -> keyword -> line; empty if the source cannot be read."""
    found: dict[int, dict[str, int]] = {}
    try:
        tree = parse_source(Path(file).read_bytes(), file)
    except (OSError, SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            lines = {keyword.arg: keyword.value.lineno for keyword in node.keywords if keyword.arg}
            found.setdefault(node.lineno, {}).update(lines)
    return found
