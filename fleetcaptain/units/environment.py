"""The ``FLEETCAPTAIN_...`` variables that identify a service, for its unit's own lines and for its container.

docs/discovery.md lists them: they are the part of the contract that apps read.
"""

from __future__ import annotations

import json

from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.units.machine_paths import MACHINE
from fleetcaptain.units.quoting import Expanded

__all__ = ["passed_on", "unchanged", "unit_environment", "with_run"]

_UNIT = ("APP", "SERVICE", "UNIT", "MACHINE", "KEY")


def unit_environment(spec: ServiceSpec, app: str) -> str:
    """The value of ``Environment=`` that identifies the unit; ``KEY`` is the key of its registration."""
    return " ".join(f"FLEETCAPTAIN_{name}={value}" for name, value in _own(spec, app).items())


def unchanged(spec: ServiceSpec, app: str, *, image: bool) -> str:
    """Shell, with systemd's specifiers, that fails if the unit's own variables differ from its text.

    In systemd a file of variables (``EnvironmentFile=``, ``/etc/environment``) overrides ``Environment=``: the unit
    would run another *image* than the release names, or the container would register as another service.
    """
    own = _own(spec, app)
    found = " ".join(f"$FLEETCAPTAIN_{name}" for name in own)
    ours = f'test "{found}" = "{" ".join(own.values())}"'
    checks = [f'grep -qxF "Environment=IMAGE=$IMAGE" {MACHINE.units}/%n'] if image else []
    advice = "take it out of /etc/environment and the files of EnvironmentFile="
    failure = f'{{ echo "IMAGE or a FLEETCAPTAIN_ variable is not the unit\'s own; {advice}"; exit 1; }};'
    return f"{' && '.join([*checks, ours])} || {failure}"


def with_run(spec: ServiceSpec, app: str) -> list[str]:
    """The words before a command that add the variables a text cannot contain: the text's hash and the id of the run.

    The command replaces the shell, so that it is the unit's main process. It does not run if the unit's own variables
    were overridden.
    """
    unit_hash = f"$(sha1sum <{MACHINE.units}/%n | head -c 40)"
    known = f"FLEETCAPTAIN_CONTENT={unit_hash} FLEETCAPTAIN_RUN=$INVOCATION_ID"
    script = f'{unchanged(spec, app, image=True)} export {known}; exec "$@"'
    return ["/bin/sh", "-c", Expanded(script.replace("$", "$$")), "run"]


def _own(spec: ServiceSpec, app: str) -> dict[str, str]:
    key = f"/fleetcaptain/{app}/services/{spec.name}/%n"
    return dict(zip(_UNIT, (app, spec.name, "%n", "%m", key), strict=True))


def passed_on(spec: ServiceSpec) -> list[str]:
    """The arguments of ``docker run -e``: names of variables to pass on, etcd's address as seen from the container, and
    the further releases that *spec* serves, because a registration by the app replaces its unit's."""
    return [
        *(f"FLEETCAPTAIN_{name}" for name in (*_UNIT, "CONTENT", "RUN")),
        Expanded("FLEETCAPTAIN_HOST=${COREOS_PRIVATE_IPV4}"),
        Expanded("FLEETCAPTAIN_ETCD=http://${COREOS_PRIVATE_IPV4}:2379"),
        *([f"FLEETCAPTAIN_VERSIONS={json.dumps(spec.versions)}"] if spec.versions else []),
    ]
