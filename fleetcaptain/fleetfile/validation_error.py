"""A mistake in a Fleetfile, and the exception by which one is noted."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Problem", "ValidationError", "did_you_mean", "represented", "shown"]

# Words of the original tool and of docker compose, and what they are called here.
_SEED_WORDS = {
    "desc": "description",
    "container": "image",
    "restart_time": "restart_sec",
    "global": "global_unit",
    "global_": "global_unit",
    "run": "command, ports and volumes",
    "env_file": "docker_args",
    "depends_on": "requires",
    "replicas": "instances",
    "environment": "env",
    "restart": 'service={"Restart": ...} and restart_sec=',
    "build": "image=Build(...)",
    "deploy": "instances, rollout and machine_metadata",
    "stop_grace_period": "stop_sec",
}


_LONGEST = 200


class ValidationError(ValueError):
    """What is wrong with one value; the words are those of the report."""


@dataclass(frozen=True)
class Problem:
    """One mistake: where, in which service and keyword ("" where there is none), and what is wrong."""

    file: str
    line: int
    service: str
    keyword: str
    what: str

    def __str__(self) -> str:
        where = [f"{self.file}:{self.line}"]
        if self.service:
            where.append(f"service {self.service!r}")
        if self.keyword:
            where.append(self.keyword)
        return ": ".join([*where, self.what])


def represented(value: object) -> str:
    """*value* as a report has it: as Python writes it, the beginning of what is long. A value that cannot be written,
    such as a number of 5,000 digits, is called by its type."""
    try:
        text = repr(value)
    except Exception:  # any class may have been given, and what it does is not ours
        return f"a value of the type {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def shown(file: str, folder: Path) -> str:
    """What the report calls *file*: its path from *folder*, the Fleetfile's, or all of it for one elsewhere."""
    path = Path(file)
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """``; did you mean "x"?`` for the nearest of *known*, or nothing."""
    if word in _SEED_WORDS:
        return f"; it is called {_SEED_WORDS[word]} here"
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
