"""An error in a Fleetfile, and the exception that a check raises for one."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Problem", "ValidationError", "did_you_mean", "represented", "shown"]

# Keywords of the original tool and of docker compose -> the keyword here.
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
    """One invalid value. The message appears in the report as it is."""


@dataclass(frozen=True)
class Problem:
    """One error: its file and line, its service and keyword ("" if there is none), and the message. *kind*: what the
    service is called, ``service`` or ``task``."""

    file: str
    line: int
    service: str
    keyword: str
    what: str
    kind: str = "service"

    def __str__(self) -> str:
        where = [f"{self.file}:{self.line}"]
        if self.service:
            where.append(f"{self.kind} {self.service!r}")
        if self.keyword:
            where.append(self.keyword)
        return ": ".join([*where, self.what])


def represented(value: object) -> str:
    """*value* as shown in a report: its ``repr``, shortened if it is long. For a value whose ``repr`` fails, such as a
    number of 5,000 digits, its type."""
    try:
        text = repr(value)
    except Exception:  # the value may be of any class, whose methods may fail
        return f"a value of the type {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def shown(file: str, folder: Path) -> str:
    """*file* as shown in a report: relative to *folder*, the Fleetfile's, or absolute if it is elsewhere."""
    path = Path(file)
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """``; did you mean "x"?`` for the nearest of *known*, or nothing."""
    if word in _SEED_WORDS:
        return f"; write {_SEED_WORDS[word]} instead"
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
