"""The words of ``docker_args``, read as ``docker run`` reads them, and the options that a unit cannot have. Pure.

The options and the form of their words are those of docker/cli (`cli/command/container/opts.go` and `run.go`, read by
pflag): docker takes a word that is neither an option nor the value of one for the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fleetcaptain.fleetfile.validation_error import ValidationError, did_you_mean

__all__ = [
    "OPTION_NAMES",
    "RESERVED_DOCKER_OPTIONS",
    "docker_options",
    "networks",
    "option_for",
    "refuse_reserved",
]

_FLAG_NAMES = (
    "detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all quiet "
    "read-only rm sig-proxy tty use-api-socket"
)
_TAKING_NAMES = (
    "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile "
    "cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems "
    "detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns "
    "dns-opt dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval "
    "health-retries health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip "
    "ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory "
    "memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias oom-score-adj "
    "pid pids-limit platform publish pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir"
)
_FLAGS = frozenset(_FLAG_NAMES.split())
_TAKING = frozenset(_TAKING_NAMES.split())
OPTION_NAMES = _FLAGS | _TAKING
"""The long names of the options of ``docker run``."""
_SHORT = {
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "P": "publish-all",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
_ALIASES = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}
_COMPOSE = {
    "extra_hosts": "add-host",
    "healthcheck": "health-cmd",
    "logging": "log-driver",
    "mem_limit": "memory",
    "network_mode": "network",
    "working_dir": "workdir",
}
_FALSE = ("0", "f", "F", "FALSE", "false", "False")

RESERVED_DOCKER_OPTIONS = {
    "attach": "the unit's main process already prints the container's output; remove it",
    "cidfile": "docker refuses to start again while the file exists; remove it, the container's name is fc.<app>.%p.%i",
    "detach": "the container is the unit's main process and runs in the foreground; remove it",
    "env": "FLEETCAPTAIN_ variables identify the container and are reserved; choose another name",
    "help": "docker prints its help and exits; remove it",
    "label": "the labels fleetcaptain.* identify the container's owner and are reserved; choose another name",
    "name": "the unit names its container, and stops and removes it by that name; remove it",
    "publish": "only the ports in ports= are registered and checked; write them there",
    "publish-all": "only the ports in ports= are registered and checked; write them there",
    "restart": 'systemd restarts the service; write restart_sec=, or service={"Restart": "on-failure"}',
    "rm": "the unit removes its container when it exits; remove it",
    "sig-proxy": "systemd's signals to the unit must reach the container; remove it",
    "stop-timeout": "the unit's stop command sets how long docker waits; write stop_sec=",
    "tty": "a unit has no terminal for -t and -i together; remove -i",
}
"""Option of ``docker run`` -> why a unit cannot have it (for some: with a certain value), and what to write instead."""


def option_for(keyword: str) -> str:
    """The option of ``docker run`` that matches *keyword* of docker compose; "" if there is none, or if a service has a
    keyword for it."""
    name = _COMPOSE.get(keyword, keyword.replace("_", "-"))
    known = (_FLAGS | _TAKING) - {"env", "volume"} - (RESERVED_DOCKER_OPTIONS.keys() - {"label", "tty"})
    return next((f"--{option}" for option in (name, name.removesuffix("s")) if option in known), "")


def docker_options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(option, value) for each option in *words*, by its long name; a flag's value is "true" where none is written.

    Raises `ValidationError` at the first word that is neither an option nor the value of one.
    """
    rest = iter(words)
    for word in rest:
        if re.match(r"--[^=\s-]", word):
            yield _long(word, rest)
        elif re.match(r"-[^=\s-]", word):
            yield from _short(word, rest)
        else:
            raise ValidationError(
                f"{word!r} is not an option, so docker would take it for the image; write the container's command into "
                "command=, and an option's value after the option"
            )


def networks(words: Sequence[str]) -> Iterator[str]:
    """The networks that *words* name. Raises `ValidationError` as `docker_options` does."""
    for name, value in docker_options(words):
        if name == "network":
            long_form = re.search(r"(?:^|,)name=([^,]*)", value, re.IGNORECASE)
            yield long_form[1] if long_form else value


def refuse_reserved(words: Sequence[str]) -> None:
    """Raise `ValidationError` with every option in *words* that a unit cannot have, and what to write instead."""
    options = list(docker_options(words))
    found = [name for name, value in options if _is_reserved(name, value)]
    given = dict(options)
    if _is_true(given.get("tty", "false")) and _is_true(given.get("interactive", "false")):
        found.append("tty")
    streams = [value.lower() for name, value in options if name == "attach"]
    if streams and not {"stdout", "stderr"} & set(streams):
        found.append("attach")
    why = [f"--{name}: {RESERVED_DOCKER_OPTIONS[name]}" for name in dict.fromkeys(found)]
    why += [
        f"--{name}: a unit has no working directory that {path!r} could be relative to; write the absolute path on "
        f"the machine"
        for name, value in options
        for path in _paths(name, value)
        if not path.startswith(("/", "%", "$"))
    ]
    if why:
        raise ValidationError("; ".join(why))


def _paths(name: str, value: str) -> Iterator[str]:
    """The paths of the machine that the option names; the name of a volume is not a path."""
    source = value.partition(":")[0]
    bind = re.search(r"(?:^|,)(?:src|source)=([^,]*)", value) if re.search(r"(?:^|,)type=bind(?:,|$)", value) else None
    if name in ("env-file", "label-file"):
        yield value
    elif name == "volume" and ":" in value and re.match(r"[.~]|[^/]+/", source):
        yield source
    elif name == "mount" and bind:
        yield bind[1]


def _is_reserved(name: str, value: str) -> bool:
    """Whether *name* is reserved with this *value*; options that depend on others are checked elsewhere."""
    refused = {
        "detach": _is_true(value),
        "env": value.startswith("FLEETCAPTAIN_"),
        "help": _is_true(value),
        "label": value.startswith("fleetcaptain."),
        "publish-all": _is_true(value),
        "restart": value not in ("", "no"),
        "rm": not _is_true(value),
        "sig-proxy": not _is_true(value),
    }
    return refused.get(name, name in ("cidfile", "name", "publish", "stop-timeout"))


def _is_true(value: str) -> bool:
    return value not in _FALSE


def _long(word: str, rest: Iterator[str]) -> tuple[str, str]:
    name, equals, value = word[2:].partition("=")
    if name not in OPTION_NAMES and not equals:
        raise ValidationError(
            f"--{name} is not a known option of docker run{did_you_mean(name, OPTION_NAMES)}; "
            f"if your version of docker has it, write --{name}=VALUE"
        )
    if not equals:
        value = "true" if name in _FLAGS else _value(f"--{name}", rest)
    return _ALIASES.get(name, name), value


def _short(word: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """The options of a word such as ``-it`` or ``-eA=b``: flags, of which the last may be an option with its value."""
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise ValidationError(f"{word!r}: docker run has no option -{letter}; correct or remove it")
        if letters.startswith("="):
            yield name, letters[1:]
            return
        if name in _FLAGS:
            yield name, "true"
            continue
        yield name, letters or _value(f"-{letter}", rest)
        return


def _value(option: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise ValidationError(f"{option} has no value, so docker would take the image for it; write the value after it")
    return value
