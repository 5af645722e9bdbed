"""The options that a Fleetfile adds to a unit's sections, and the reserved ones. Pure; raises `ValidationError`.

A unit's own lines run docker in the foreground, and sh, curl and docker as root on the machine, to wait and to
register. Options that would break that are refused by name, with what to write instead (systemd.service(5),
systemd.exec(5), systemd.kill(5), systemd.resource-control(5), systemd.unit(5)).
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fleetcaptain.fleetfile.letters import verbatim, word
from fleetcaptain.fleetfile.systemd_options import OTHER_OPTIONS, SYSTEMD_OPTIONS
from fleetcaptain.fleetfile.validation_error import ValidationError, did_you_mean, represented
from fleetcaptain.units.names import is_unit_name
from fleetcaptain.units.xfleet import KEYS, OLD_KEYS, rules_of

__all__ = ["RESERVED_OPTIONS", "RESERVED_WITH_DOCKER", "options_of", "refused_with_docker"]

_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
# systemd ignores other values of these.
_VALUES: Mapping[str, tuple[str, ...]] = {
    "KillMode": ("control-group", "mixed", "process", "none"),
    "Restart": ("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"),
    "Type": ("simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"),
}
# With docker in the foreground as the main process, which does not notify systemd.
_TYPES_OF_DOCKER = ("simple", "exec", "oneshot", "idle")
# Variables that a unit's own lines use, in addition to FLEETCAPTAIN_...
_VARIABLES = ("IMAGE", "COREOS_PRIVATE_IPV4", "INVOCATION_ID", "MAINPID")
_PATH_NEEDED = "/usr/bin"

_LINE = "the unit sets it for its own lines; write {}="
_USER = (
    "the unit's own lines need root for docker and for the registration; for the container write "
    'docker_args=["--user", ...], in a custom start= begin the line with /usr/bin/sudo -u USER'
)
_FILES = (
    "the unit's own lines need the machine's files, docker's socket among them; for the container write volumes=, or "
    'docker_args=["--read-only"]'
)
_NETWORK = (
    "the unit's own lines need the machine's network, to register; for the container write "
    'docker_args=["--network", ...]'
)
_DEVICE = 'it applies to the unit\'s own lines, not to the container; write docker_args=["--device", ...]'
_TIME = "the rollout relies on the time of the keyword; write {}="
_START = "fleet starts and stops units, which systemd counts as manual; remove it"

RESERVED_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "Unit": {
        "JobRunningTimeoutSec": _TIME.format("start_sec"),
        "JobTimeoutSec": _TIME.format("start_sec"),
        "RefuseManualStart": _START,
        "RefuseManualStop": _START,
        "StopWhenUnneeded": "no other unit needs a unit of fleet, so systemd would stop it at once; remove it",
    },
    "Service": {
        "ExecReload": _LINE.format("reload"),
        "ExecStart": _LINE.format("start"),
        "ExecStartPost": _LINE.format("after_start"),
        "ExecStartPre": _LINE.format("before_start"),
        "ExecStop": _LINE.format("before_stop= or stop"),
        "ExecStopPost": _LINE.format("after_stop"),
        "RestartSec": _TIME.format("restart_sec"),
        "TimeoutSec": _TIME.format("start_sec= and stop_sec"),
        "TimeoutStartSec": _TIME.format("start_sec"),
        "TimeoutStopSec": _TIME.format("stop_sec"),
        **dict.fromkeys(("DynamicUser", "Group", "PAMName", "PrivateUsers", "SupplementaryGroups", "User"), _USER),
        **dict.fromkeys(
            (
                "BindPaths",
                "BindReadOnlyPaths",
                "ExecPaths",
                "ExtensionDirectories",
                "ExtensionImages",
                "InaccessibleDirectories",
                "InaccessiblePaths",
                "MountImages",
                "NoExecPaths",
                "ProtectHome",
                "ReadOnlyDirectories",
                "ReadOnlyPaths",
                "RootDirectory",
                "RootImage",
                "TemporaryFileSystem",
            ),
            _FILES,
        ),
        **dict.fromkeys(
            (
                "IPAddressDeny",
                "IPEgressFilterPath",
                "IPIngressFilterPath",
                "NetworkNamespacePath",
                "PrivateNetwork",
                "RestrictAddressFamilies",
                "RestrictNetworkInterfaces",
            ),
            _NETWORK,
        ),
        **dict.fromkeys(("DeviceAllow", "DevicePolicy"), _DEVICE),
        "ExecSearchPath": "the unit's own lines find curl and other programs by the machine's PATH; write absolute "
        "paths",
    },
    "X-Fleet": {
        "Global": "fleet replaces its own global units on all machines at once, and they would share one registration; "
        "write global_unit=True",
    },
}
"""Section -> option -> why a Fleetfile may not set it, and what to write instead."""

RESERVED_WITH_DOCKER: Mapping[str, str] = {
    "BusName": "docker, the unit's main process, acquires no bus name; remove it",
    "KillSignal": 'it reaches docker, not the container; write docker_args=["--stop-signal", ...]',
    "PIDFile": "docker, in the foreground, is the unit's main process; remove it",
    "Type": "docker, in the foreground, is the unit's main process and does not notify systemd, so the start would "
    "never "
    "complete; remove it and write ready=",
    "WatchdogSec": "docker, the unit's main process, does not notify the watchdog, so systemd would kill it; write "
    'docker_args=["--health-cmd", ...]',
}
"""The same for a [Service] without a custom ``start=``, where docker is the main process."""


def options_of(section: str) -> Callable[[Any], tuple[tuple[str, str], ...]]:
    """The parser of the options for *section*: a mapping, or pairs; a list of values repeats the option."""

    def parse(value: Any) -> tuple[tuple[str, str], ...]:
        found = [(name, _value(name, entry)) for name, given in _pairs(value) for entry in _several(given)]
        refused = [why for name, text in found for why in _refused(section, name, text)]
        if refused:
            raise ValidationError("; ".join(dict.fromkeys(refused)))
        return tuple(found)

    return parse


def refused_with_docker(options: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Why a unit whose main process is docker cannot have *options* in [Service], one clause each."""
    reserved = {name.lower(): name for name in RESERVED_WITH_DOCKER}
    for given, value in options:
        name = reserved.get(given.lower())
        if name is not None and not (name == "Type" and value in _TYPES_OF_DOCKER):
            yield (
                f"{given}={value}: {RESERVED_WITH_DOCKER[name]}"
                if name == "Type"
                else (f"{given}: {RESERVED_WITH_DOCKER[name]}")
            )


def _pairs(value: Any) -> list[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, Mapping) else value
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise ValidationError(
            f"must be a mapping of option names to values, or a list of pairs, not {represented(value)}"
        )
    found = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:  # noqa: PLR2004  a pair
            raise ValidationError(
                f"must be a mapping of option names to values, or a list of pairs; {represented(pair)} is not a pair"
            )
        name, given = pair
        if not isinstance(name, str) or not _OPTION.fullmatch(name):
            raise ValidationError(f"{represented(name)} is not an option name")
        found.append((word(name), given))
    return found


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _value(name: str, given: Any) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if not isinstance(given, str | int | float) or (isinstance(given, float) and not math.isfinite(given)):
        raise ValidationError(
            f"{name} must be a string, a number or a bool, not {represented(given)}; remove it to keep the default"
        )
    try:
        return verbatim(word(str(given)))
    except ValidationError as error:
        raise ValidationError(f"{name}: {error}") from error


def _refused(section: str, name: str, value: str) -> Iterator[str]:
    reserved = RESERVED_OPTIONS[section]
    # systemd ignores an option in another case; it is refused like the correct spelling, not ignored.
    meant = {option.lower(): option for option in reserved}.get(name.lower())
    if meant is not None:
        yield f"{name}: {reserved[meant]}"
    elif section == "X-Fleet" and name not in (*KEYS, *OLD_KEYS):
        near = next(
            (f'; did you mean "{key}"?' for key in KEYS if key.lower() == name.lower()), did_you_mean(name, KEYS)
        )
        yield f"{name}: fleet does not know this option and silently ignores it{near}"
    elif section == "X-Fleet":
        yield from _refused_units(name, value)
    elif section in SYSTEMD_OPTIONS:
        yield from _misplaced(section, name)
        if section == "Service":
            yield from _refused_value(name, value)


def _refused_units(name: str, value: str) -> Iterator[str]:
    """fleet compares complete unit names, with their type. It never finds a name without one, and reports no error."""
    rules = rules_of([(name, value)], "a@1.service")
    names = [*rules.machine_of, *(glob for glob in (*rules.conflicts, *rules.replaces) if glob[-1:] not in "*?]")]
    for unit in (one for one in names if not is_unit_name(one)):
        yield f"{name}={value}: {unit!r} is not a unit name, because it has no type; add one, such as .service"


def _misplaced(section: str, name: str) -> Iterator[str]:
    """Why systemd would ignore the option: it belongs to another section, or is misspelt. Others pass: systemd may be
    newer."""
    known = SYSTEMD_OPTIONS[section]
    if name in known or (name.startswith("X-") and name not in OLD_KEYS):
        return
    others = [other for other, names in SYSTEMD_OPTIONS.items() if name in names]
    near = did_you_mean(name, known)
    foreign = next((f"[{other}], and {why}" for other, (names, why) in OTHER_OPTIONS.items() if name in names), "")
    if name in (*KEYS, *OLD_KEYS):
        yield f"{name}: fleet reads it only in [X-Fleet]; write it into x_fleet="
    elif others:
        yield f"{name}: systemd reads it only in [{others[0]}] and ignores it here; write it into {others[0].lower()}="
    elif foreign:
        yield f"{name}: systemd reads it only in {foreign}"
    elif near:
        yield f"{name}: systemd does not know this option and ignores it{near}"


def _refused_value(name: str, value: str) -> Iterator[str]:
    match name:
        case "Environment" | "PassEnvironment" | "UnsetEnvironment":
            yield from _refused_variables(name, value)
        case "ProtectSystem" if value == "strict":
            yield f"{name}={value}: {_FILES}"
        case "RuntimeDirectory" if any(entry.split("/")[0] in ("fleet", "fleetcaptain") for entry in value.split()):
            yield (
                f"{name}={value}: systemd removes it at each stop, with the files of fleet or the unit in it; rename it"
            )
        case "EnvironmentFile" if not re.match(r"-?[/%]", value):
            yield f"{name}={value}: systemd ignores a relative path; write the absolute path on the machine"
        case "KillMode" | "Restart" | "Type" if value not in _VALUES[name]:
            known = ", ".join(_VALUES[name])
            yield f"{name}={value}: systemd does not know this value and ignores it; write one of {known}"


def _refused_variables(name: str, value: str) -> Iterator[str]:
    """systemd's form: words with blanks between them, quotes around an assignment or in it, escapes."""
    try:
        words = shlex.split(re.sub(r"\\x([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), value))
    except ValueError:
        yield f"{name}={value}: the quotes are not balanced; close them"
        return
    given = dict(entry.partition("=")[::2] for entry in words)
    for variable in (name for name in given if name in _VARIABLES or name.startswith("FLEETCAPTAIN_")):
        yield f"{name}: {variable} is reserved: the unit sets or uses it itself; choose another name"
    if name == "UnsetEnvironment" and "PATH" in given:
        yield f"{name}: the unit's own lines find curl and other programs by PATH; remove it"
    if name != "Environment":
        return
    for entry in words:
        if "=" not in entry:
            yield (
                f'{name}: systemd ignores {entry!r}, which is not an assignment; write NAME=VALUE, or "NAME=A B" '
                f"if the value has blanks"
            )
    if "PATH" in given and _PATH_NEEDED not in given["PATH"].split(":"):
        yield f"{name}: the unit's own lines find curl and other programs by PATH; add {_PATH_NEEDED} to it"
