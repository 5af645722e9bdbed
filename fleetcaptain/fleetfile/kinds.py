"""What is inside of a word given to a keyword: ``Http``, ``Tcp``, ``Command``, ``Rolling``, ``BlueGreen``. Pure."""

from __future__ import annotations

import re
from typing import Any

from fleetcaptain.fleetfile.problem import Mistake
from fleetcaptain.fleetfile.texts import line_of_text
from fleetcaptain.fleetfile.times import LONGEST_SEC, refuse_never
from fleetcaptain.fleetfile.values import BlueGreen, Command, Http, Ready, Rolling, Rollout, Tcp

__all__ = ["public", "ready", "rollout"]

_PORTS = range(1, 65536)
_TIMES = ("min_healthy_sec", "healthy_deadline_sec", "progress_deadline_sec", "keep_old_sec")
_PERCENT = re.compile(r"(100|[1-9][0-9]?)%")


def ready(value: Any) -> Ready:
    """*value*, when it can be waited for. Raises Mistake."""
    match value:
        case Http(path, number):
            if not isinstance(path, str) or not path.startswith("/") or re.search(r"\s", path):
                raise Mistake(f'Http({path!r}): a path that begins with "/" is wanted, such as "/health"')
            line_of_text(path)
            # curl would take them for a set of paths, and ask for each.
            if re.search(r"[\[\]{}]", path):
                raise Mistake(f"Http({path!r}): [ ] {{ and }} must be written as %5B %5D %7B and %7D in a path")
            _port(number)
        case Tcp(number):
            _port(number)
        case Command(line):
            if not isinstance(line, str) or not line.strip() or "\n" in line:
                raise Mistake(f"Command({line!r}): one line for the container's shell is wanted")
            line_of_text(line)
        case _:
            raise Mistake(f"Http(...) or Tcp(...) or Command(...) is wanted, not {value!r}")
    checked: Ready = value
    return checked


def public(value: Any) -> int:
    """*value*, when it is a port's number. Raises Mistake."""
    _port(value)
    return int(value)


def rollout(value: Any) -> Rollout:
    """*value*, when its numbers make sense. Raises Mistake."""
    if not isinstance(value, Rolling | BlueGreen):
        raise Mistake(f"it must be Rolling(...) or BlueGreen(...), not {value!r}")
    for name in _TIMES:
        seconds = getattr(value, name, 0)
        least = 1 if "deadline" in name else 0
        if seconds is None and "deadline" in name:
            continue
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not least <= seconds <= LONGEST_SEC:
            raise Mistake(f"{name}: it must be whole seconds, from {least} to {LONGEST_SEC}, not {seconds!r}")
    if isinstance(value, Rolling) and not _parallel(value.max_parallel):
        raise Mistake(
            f'max_parallel: it must be a number from 1 on, or a share such as "25%", not {value.max_parallel!r}'
        )
    if isinstance(value, Rolling) and not isinstance(value.auto_revert, bool):
        raise Mistake(f"auto_revert: it must be True or False, not {value.auto_revert!r}")
    refuse_never(value)
    return value


def _port(number: Any) -> None:
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number not in _PORTS):
        raise Mistake(f"{number!r} is no port: ports go from 1 to 65535")


def _parallel(value: Any) -> bool:
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
