"""The container of a one-off command: which words of a unit's ``docker run`` line it keeps. Pure.

A one-off has the image, environment, volumes, networks and limits of its service. It is not an instance: it has no
name, port or address of one, it is not registered, and ``FLEETCAPTAIN_UNIT``, ``_KEY`` and ``_RUN`` are not set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleetfile.docker_args import docker_options
from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.units.agent_calls import agent_folder, variables_file
from fleetcaptain.units.docker import DOCKER
from fleetcaptain.units.exec_words import FIXED_SPECIFIERS, Word, exec_words, unknown_in, with_specifiers
from fleetcaptain.units.mark import SECTION
from fleetcaptain.units.names import name_parts
from fleetcaptain.units.unit_file import UnitFile

__all__ = [
    "Environment",
    "OneOff",
    "SecretNeeds",
    "Streams",
    "container_words",
    "environment_of",
    "image_of",
    "secrets_of",
]

_IMAGE = "IMAGE"
_IMAGE_WORD = f"\0{_IMAGE}\0"
# What belongs to one instance, or is decided here.
_DROPPED_NAMES = (
    "attach cidfile detach interactive ip ip6 link-local-ip log-driver log-opt mac-address name network-alias "
    "publish publish-all quiet restart rm sig-proxy stop-timeout tty"
)
_DROPPED = frozenset(_DROPPED_NAMES.split())


@dataclass(frozen=True)
class Streams:
    """Whether standard input is passed, and whether there is a terminal."""

    stdin: bool = False
    terminal: bool = False


@dataclass(frozen=True)
class OneOff:
    """A one-off of *app*'s *service*: the *unit* whose place it takes (``web@1.service``) and its *file*, the *machine*
    that it runs on, and the *id* of the run. *entrypoint*: replaces that of the service, None for no change."""

    app: str
    service: str
    unit: str
    file: UnitFile
    machine: Machine
    id: str
    command: tuple[str, ...]
    streams: Streams = Streams()
    entrypoint: str | None = None

    @property
    def name(self) -> str:
        """The name of its container. No instance has it: their last part is a number or a machine's id."""
        return f"fc.{self.app}.{self.service}.run-{self.id}"


@dataclass(frozen=True)
class Environment:
    """The sources of a unit's variables, in the form of systemd's properties: ``EnvironmentFile=-/etc/environment``."""

    properties: tuple[str, ...]


@dataclass(frozen=True)
class SecretNeeds:
    """The *lines* of a unit's text that say which secrets it has, the *folder* in which the unit has them on its
    machine, and the path of the *agent* that opens them."""

    lines: tuple[str, ...]
    folder: str
    agent: str


def secrets_of(one_off: OneOff) -> SecretNeeds | None:
    """What the container of *one_off* needs of its service's secrets; None if the service has none."""
    if not one_off.file.secrets:
        return None
    names = ("Secrets", "SecretFile", "SecretDigest")
    lines = [f"{one.name}={one.value}" for one in one_off.file.options if one.section == SECTION and one.name in names]
    folder = agent_folder(one_off.app)
    return SecretNeeds(tuple(lines), f"{folder}/secrets/{one_off.unit}", f"{folder}/agent")


def container_words(one_off: OneOff) -> tuple[Word, ...]:
    """The ``docker run`` command of *one_off*.

    Raises UnitRefused for a service that starts no container of FleetCaptain, or whose line only systemd can read.
    """
    specifiers = _specifiers(one_off)
    words = exec_words(one_off.file.last("ExecStart"), specifiers, {})
    if words[:2] != (DOCKER, "run") or _IMAGE_WORD not in words or not image_of(one_off.file):
        raise UnitRefused(
            f"Cannot start a container of {one_off.service}:",
            ["its own start= line is not `docker run OPTIONS ${IMAGE} ...`, so they are unknown; name another service"],
        )
    options = words[2 : words.index(_IMAGE_WORD)]
    streams = one_off.streams
    own = [
        *(["--interactive"] if streams.stdin or streams.terminal else []),
        *(["--tty"] if streams.terminal else []),
        # The output goes to the client alone: a copy in docker's log would stay on no machine.
        *["--log-driver=none", f"--name={one_off.name}"],
        *[f"--label=fleetcaptain.app={one_off.app}", f"--label=fleetcaptain.one-off={one_off.service}"],
        *(f"--env={name}={value}" for name, value in _variables(one_off).items()),
        *([] if one_off.entrypoint is None else [f"--entrypoint={one_off.entrypoint}"]),
    ]
    kept = _kept(options, with_specifiers(variables_file(one_off.app), specifiers), one_off.entrypoint is not None)
    # Before those of the service, of which ``--init=false`` wins. Units of earlier versions have none.
    return ("docker", "run", "--rm", "--init", *kept, *own, image_of(one_off.file), *one_off.command)


def environment_of(one_off: OneOff, words: Sequence[Word]) -> Environment | None:
    """What *words* need of the unit's environment; None if they need nothing of it."""
    passed = any(word.startswith("--env=") and "=" not in word.removeprefix("--env=") for word in words)
    if not passed and not any(map(unknown_in, words)):
        return None
    specifiers = {**_specifiers(one_off), "%": "%%"}
    own_file = f"{agent_folder(one_off.app)}/env/"
    found = []
    for option in one_off.file.options:
        if option.section != "Service" or option.name not in ("Environment", "EnvironmentFile"):
            continue
        value = with_specifiers(option.value.replace("\\\n", " "), specifiers)
        if "\0" in value:
            raise UnitRefused(
                f"Cannot start a container of {one_off.service}:",
                [f"{option.name}= of its unit has the specifier %H or %b, which only systemd can replace there"],
            )
        if not value.removeprefix("-").startswith(own_file):
            found.append(f"{option.name}={value}")
    return Environment(tuple(found))


def image_of(file: UnitFile) -> str:
    """The image that *file* names; "" if it names none."""
    return file.without_image()[1]


def _kept(options: Sequence[Word], variables: str, own_entrypoint: bool) -> Iterator[Word]:
    """The options of the service's container that a one-off has too, one word each."""
    try:
        given = list(docker_options(options))
    except ValidationError as error:
        raise UnitRefused("Cannot read the docker line of the unit:", [str(error)]) from error
    for name, value in given:
        own = name == "label" and value.startswith("fleetcaptain.")
        replaced = name == "entrypoint" and own_entrypoint
        if name not in _DROPPED and not own and not replaced and (name, value) != ("env-file", variables):
            yield f"--{name}={value}"


def _variables(one_off: OneOff) -> Mapping[str, str]:
    """The ``FLEETCAPTAIN_`` variables of a one-off: what lookups need, and nothing that would register it."""
    values = [option.value for option in one_off.file.options if option.name == "Versions"]
    return {
        "FLEETCAPTAIN_APP": one_off.app,
        "FLEETCAPTAIN_SERVICE": one_off.service,
        "FLEETCAPTAIN_MACHINE": one_off.machine.id,
        "FLEETCAPTAIN_HOST": one_off.machine.ip,
        "FLEETCAPTAIN_ETCD": f"http://{one_off.machine.ip}:2379",
        "FLEETCAPTAIN_CONTENT": one_off.file.unit_hash,
        **({"FLEETCAPTAIN_VERSIONS": values[-1]} if values else {}),
    }


def _specifiers(one_off: OneOff) -> Mapping[str, str]:
    prefix, instance, _ = name_parts(one_off.unit)
    stem = one_off.unit.rpartition(".")[0]
    return {
        **FIXED_SPECIFIERS,
        **{"n": one_off.unit, "N": stem, "p": prefix, "i": instance, "m": one_off.machine.id},
        **{"P": prefix.replace("-", "/"), "I": instance.replace("-", "/")},
    }
