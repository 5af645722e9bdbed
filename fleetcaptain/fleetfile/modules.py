"""Runs a Fleetfile as a module, with the modules beside it importable, and unloads them afterwards."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import importlib.util
import io
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

__all__ = ["is_own", "own_modules", "parse_source", "run_module"]

_OURS = "fleetcaptain"
_PACKAGE = Path(__file__).resolve().parents[1]
# Where Python and installed packages are, also when the app's folder has a virtual environment in it.
_LIBRARIES = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_INSTALLED = tuple(_LIBRARIES | {path.resolve() for path in _LIBRARIES})
_OPENED: ContextVar[set[Path] | None] = ContextVar("opened", default=None)


def is_own(path: Path, folder: Path) -> bool:
    """Whether *path* is a file of the app in *folder*, and not of Python or of an installed package there."""
    return path.is_relative_to(folder) and not any(path.is_relative_to(prefix) for prefix in _INSTALLED)


def run_module(name: str, file: Path) -> ModuleType:
    """Run *file* as the module *name*, with everything that Python gives an imported module. Raises what *file* raises,
    and SyntaxError also for a file that is not in its declared encoding."""
    spec = importlib.util.spec_from_loader(name, _Source(name, str(file)))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def parse_source(data: bytes, file: str) -> ast.Module:
    """The syntax tree of *data*, the contents of *file*. Raises SyntaxError, with the line."""
    try:
        text = importlib.util.decode_source(data)
    except (UnicodeError, LookupError, SyntaxError) as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data[:start].count(b"\n") + 1
        what = (
            f"the file is not in its declared encoding ({error}). Save it as UTF-8, or declare its encoding in the "
            f"first "
            "line: # -*- coding: latin-1 -*-"
        )
        raise SyntaxError(what, (file, line, None, None)) from error
    try:
        return ast.parse(text, file)
    except SyntaxError:
        raise
    except Exception as error:  # too deep for the compiler: a MemoryError or RecursionError, which have no line
        raise SyntaxError(f"Python cannot compile the file: {error!r}", (file, 1, None, None)) from error


@contextmanager
def own_modules(folder: Path) -> Iterator[set[Path]]:
    """Within the block, modules in *folder* can be imported, even if others with the same name are loaded or installed.
    Afterwards they are unloaded, and the path, the modules and the working directory of the process are restored.

    Yields the files that are read in the block, except those of Python, of installed packages and of FleetCaptain.
    """
    path, loaded, working, bytecode = [*sys.path], dict(sys.modules), Path.cwd(), sys.dont_write_bytecode
    finder = _Folder(folder)
    opened: set[Path] = set()
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True  # images are built from the folder
    sys.meta_path.insert(0, finder)
    sys.path.append(str(folder))
    hidden = {name.partition(".")[0] for name in loaded} & finder.names()
    for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        del sys.modules[name]
    try:
        with _noting_opened(opened):
            yield opened
    finally:
        folders = [folder, *(Path(entry) for entry in sys.path if entry not in path)]
        for name, module in [*sys.modules.items()]:
            top = name.partition(".")[0]
            if top in hidden or (top not in loaded and any(_lies_in(module, other) for other in folders)):
                del sys.modules[name]
        sys.modules.update({name: module for name, module in loaded.items() if name.partition(".")[0] in hidden})
        sys.path[:] = path
        sys.meta_path[:] = [other for other in sys.meta_path if other is not finder]
        sys.path_importer_cache.pop(str(folder), None)
        sys.dont_write_bytecode = bytecode
        os.chdir(working)


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    places = [file] if file else [*getattr(module, "__path__", ())]  # a folder without __init__.py has no file
    return any(is_own(Path(place), folder) for place in places)


class _Source(SourceFileLoader):
    """Compiles a module from its source each time: caches of another run are neither trusted nor written."""

    def get_data(self, path: str) -> bytes:
        """The contents of *path*."""
        _note_opened(path, "r")
        return super().get_data(path)

    def get_code(self, fullname: str) -> CodeType:
        """The module's code. Raises SyntaxError, also for an import with an ambiguous name."""
        file = self.get_filename(fullname)
        tree = parse_source(self.get_data(file), file)
        if "." not in fullname:
            _refuse_ambiguous(tree, Path(file))
        try:
            return compile(tree, file, "exec", dont_inherit=True)
        except SyntaxError:
            raise
        except Exception as error:
            raise SyntaxError(f"Python cannot compile the file: {error!r}", (file, 1, None, None)) from error


class _Folder(MetaPathFinder):
    """Finds modules in a folder before all others, except Python's own and FleetCaptain's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """The module, if it is in the folder, or in a package there."""
        if path is None:
            path = [] if _is_taken(fullname) else [str(self._folder)]
        places = [place for place in path if is_own(Path(place), self._folder)]
        spec = PathFinder.find_spec(fullname, places) if places else None
        # A folder without __init__.py may be anything, such as `docker`: what is installed comes first, as in Python.
        if spec is None or spec.origin is None:
            return None
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _Source(fullname, spec.origin)
        return spec

    def names(self) -> set[str]:
        """The names of loaded modules for which the folder has another one."""
        found = set()
        for name, module in [*sys.modules.items()]:
            spec = self.find_spec(name, None) if "." not in name else None
            if spec is not None and spec.origin != getattr(module, "__file__", None):
                found.add(name)
        return found


def _refuse_ambiguous(tree: ast.Module, file: Path) -> None:
    """Raise SyntaxError for an import of a module beside *file* whose name is also that of a module found first."""
    for line, name in _imported(tree):
        found = next((path for path in _named(file.parent, name) if _is_taken(name) and path.is_file()), None)
        if found is not None:
            other = "FleetCaptain" if name == _OURS else "a module of Python's standard library"
            shown = found.relative_to(file.parent)
            what = f"`{name}` is ambiguous: {shown} has the same name as {other}. Rename {shown.parts[0]}"
            raise SyntaxError(what, (str(file), line, None, None))


def _named(folder: Path, name: str) -> tuple[Path, ...]:
    # A package `fleetcaptain` is the copy that an app takes into its image: docs/discovery.md.
    package = () if name == _OURS else (folder / name / "__init__.py",)
    return (folder / f"{name}.py", *package)


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, first word) of each module that *tree* imports by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, str(node.module).partition(".")[0]


def _is_taken(name: str) -> bool:
    return name == _OURS or name in sys.stdlib_module_names


@contextmanager
def _noting_opened(opened: set[Path]) -> Iterator[None]:
    """Within the block, note in *opened* what this context opens to read.

    An audit hook would see as much, but cannot be removed, and a hook written in Python makes `sys.settrace` fail when
    two threads start at once, which ends them: under a debugger, and when coverage is measured.
    """
    token = _OPENED.set(opened)
    openers: list[tuple[ModuleType, str, Callable[..., Any]]] = [
        (builtins, "open", builtins.open),
        (io, "open", io.open),
        (os, "open", os.open),
    ]
    for module, name, opener in openers:
        setattr(module, name, _noting(opener))
    try:
        yield
    finally:
        for module, name, opener in openers:
            setattr(module, name, opener)
        _OPENED.reset(token)


def _noting(opener: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(opener)
    def noting(*arguments: Any, **keywords: Any) -> Any:
        given = dict(zip(("file", "flags"), arguments, strict=False)) | keywords
        if given.get("dir_fd") is None:  # else only the system knows the folder
            _note_opened(given.get("file", given.get("path")), given.get("flags", given.get("mode")))
        return opener(*arguments, **keywords)

    return noting


def _note_opened(file: Any, mode: Any) -> None:
    opened = _OPENED.get()
    if opened is None or not isinstance(file, str | bytes | os.PathLike) or not _reads(mode):
        return
    path = Path(os.path.abspath(os.fsdecode(file)))
    if not any(path.is_relative_to(other) for other in (*_INSTALLED, _PACKAGE)):
        opened.add(path)


def _reads(mode: Any) -> bool:
    """Whether *mode*, that of `open` or the flags of `os.open`, allows reading."""
    if isinstance(mode, int):
        return mode & os.O_ACCMODE != os.O_WRONLY
    return bool({"r", "+"} & set(mode or "r"))
