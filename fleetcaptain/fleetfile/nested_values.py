"""Validation of the values of keywords: ``Http``, ``Tcp``, ``Command``, ``Alive``, ``Rolling``, ``BlueGreen``. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fleetcaptain.fleetfile.letters import letters_of_check, sample, word
from fleetcaptain.fleetfile.time_limits import LONGEST_SEC
from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Alive, BlueGreen, Command, Http, Ready, Rolling, Rollout, Tcp

__all__ = ["alive", "check_port", "ready", "rollout"]

_PORTS = range(1, 65536)
# The machine agent looks every 4 s which checks are due.
_ALIVE_LIMITS = {"every_sec": range(5, 3601), "failures": range(1, 101), "grace_sec": range(LONGEST_SEC + 1)}
_TIMES = ("min_healthy_sec", "healthy_deadline_sec", "progress_deadline_sec", "keep_old_sec")
_PERCENT = re.compile(r"(100|[1-9][0-9]?)%")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?::[0-9]{1,5})?")
# A token of HTTP (RFC 9110) that curl does not read as a file name or as a header to remove.
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def ready(value: Any) -> Ready:
    """*value*, if it is a valid check. Raises `ValidationError`."""
    match value:
        case Http():
            return _http(value)
        case Tcp(number):
            check_port(number)
            return value
        case Command(line):
            if not isinstance(line, str) or not line.strip() or "\n" in line:
                raise ValidationError(f"Command({represented(line)}): must be one line for /bin/sh in the container")
            return Command(letters_of_check(line))
        case _:
            raise ValidationError(f"must be Http(...), Tcp(...) or Command(...), not {represented(value)}")


def alive(value: Any) -> Alive:
    """*value*, if it is a valid alive check, with its times. Raises `ValidationError`."""
    if not isinstance(value, Alive | Http | Tcp | Command):
        raise ValidationError(f"must be Http(...), Tcp(...), Command(...) or Alive(...), not {represented(value)}")
    given = value if isinstance(value, Alive) else Alive(value)
    for name, limits in _ALIVE_LIMITS.items():
        number = getattr(given, name)
        if isinstance(number, bool) or not isinstance(number, int) or number not in limits:
            what = "an integer" if name == "failures" else "an integer number of seconds"
            raise ValidationError(
                f"Alive({name}={represented(number)}): must be {what} from {limits[0]} to {limits[-1]}"
            )
    return replace(given, check=ready(given.check))


def _http(value: Http) -> Http:
    path, host = value.path, value.host
    if not isinstance(path, str) or not path.startswith("/") or re.search(r"\s", path):
        raise ValidationError(
            f'Http({represented(path)}): the path must begin with "/" and contain no blanks, such as "/health"'
        )
    if "#" in path:
        raise ValidationError(
            f"Http({represented(path)}): HTTP never sends the part after #; remove it, or write %23 for the character"
        )
    check_port(value.port)
    if host is not None:
        host = letters_of_check(host)
        if not _HOST.fullmatch(sample(host)):
            raise ValidationError(
                f'Http(host={represented(host)}): must be a name such as "shop.example.org", optionally with :port'
            )
    if not isinstance(value.https, bool):
        raise ValidationError(f"Http(https={represented(value.https)}): must be True or False")
    return replace(value, path=letters_of_check(path), host=host, headers=_headers(value.headers))


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping) and value != ():
        raise ValidationError(
            f'Http(headers={represented(value)}): must be a mapping such as {{"Accept": "text/html"}}'
        )
    found = []
    for name, given in pairs:
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            raise ValidationError(f"Http(headers=...): {represented(name)} is not a header name")
        if name.lower() == "host":
            raise ValidationError(f"Http(headers=...): {name} cannot be set here; write host= instead")
        text = letters_of_check(given)
        if not text.strip():
            raise ValidationError(f"Http(headers=...): {name} must not be empty; remove it")
        found.append((word(name), text))
    return tuple(found)


def rollout(value: Any) -> Rollout:
    """*value*, if its numbers are valid. Raises `ValidationError`."""
    if not isinstance(value, Rolling | BlueGreen):
        raise ValidationError(f"must be Rolling(...) or BlueGreen(...), not {represented(value)}")
    for name in _TIMES:
        seconds = getattr(value, name, 0)
        least = 1 if "deadline" in name else 0
        if seconds is None and name != "keep_old_sec":
            continue
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not least <= seconds <= LONGEST_SEC:
            raise ValidationError(
                f"{name}: must be an integer number of seconds from {least} to {LONGEST_SEC}, not "
                f"{represented(seconds)}"
            )
    if isinstance(value, Rolling) and not _parallel(value.max_parallel):
        raise ValidationError(
            'max_parallel: must be an integer of at least 1, or a share such as "25%", not '
            f"{represented(value.max_parallel)}"
        )
    if isinstance(value, Rolling) and not isinstance(value.auto_revert, bool):
        raise ValidationError(f"auto_revert: must be True or False, not {represented(value.auto_revert)}")
    return value


def check_port(number: Any) -> None:
    """Raise `ValidationError` unless *number* is a port, or None."""
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number not in _PORTS):
        raise ValidationError(f"{represented(number)} is not a port; ports must be integers from 1 to 65535")


def _parallel(value: Any) -> bool:
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
