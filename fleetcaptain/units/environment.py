"""What a service is told about itself: ``FLEETCAPTAIN_...`` variables, for its unit's own lines and in its container.

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
    """The value of ``Environment=`` that says who the unit is; *KEY* is where it is registered."""
    return " ".join(f"FLEETCAPTAIN_{name}={value}" for name, value in _own(spec, app).items())


def unchanged(spec: ServiceSpec, app: str, *, image: bool) -> str:
    """Shell, with systemd's specifiers, that ends the line where the unit's own variables are not what its text says.

    systemd lets a file of variables (``EnvironmentFile=``, ``/etc/environment``) go before ``Environment=``: another
    *image* would run than the one that the release names, or the container would take itself for another service.
    """
    own = _own(spec, app)
    found = " ".join(f"$FLEETCAPTAIN_{name}" for name in own)
    ours = f'test "{found}" = "{" ".join(own.values())}"'
    checks = [f'grep -qxF "Environment=IMAGE=$IMAGE" {MACHINE.units}/%n'] if image else []
    advice = "take it out of /etc/environment and the files of EnvironmentFile="
    failure = f'{{ echo "IMAGE or a FLEETCAPTAIN_ variable is not the unit\'s own; {advice}"; exit 1; }};'
    return f"{' && '.join([*checks, ours])} || {failure}"


def with_run(spec: ServiceSpec, app: str) -> list[str]:
    """The words before a command that tell it what no text can say of itself: the text's hash, and which run this is.

    The command takes the shell's place, so that the unit's main process is the command. It is not run when the unit's
    own variables were replaced.
    """
    unit_hash = f"$(sha1sum <{MACHINE.units}/%n | head -c 40)"
    known = f"FLEETCAPTAIN_CONTENT={unit_hash} FLEETCAPTAIN_RUN=$INVOCATION_ID"
    script = f'{unchanged(spec, app, image=True)} export {known}; exec "$@"'
    return ["/bin/sh", "-c", Expanded(script.replace("$", "$$")), "run"]


def _own(spec: ServiceSpec, app: str) -> dict[str, str]:
    key = f"/fleetcaptain/{app}/services/{spec.name}/%n"
    return dict(zip(_UNIT, (app, spec.name, "%n", "%m", key), strict=True))


def passed_on(spec: ServiceSpec) -> list[str]:
    """What ``docker run -e`` takes: names of variables to pass on, where etcd is as seen from the container, and the
    releases that *spec* declares to serve too, since what the app registers itself stands instead of its unit's."""
    return [
        *(f"FLEETCAPTAIN_{name}" for name in (*_UNIT, "CONTENT", "RUN")),
        Expanded("FLEETCAPTAIN_HOST=${COREOS_PRIVATE_IPV4}"),
        Expanded("FLEETCAPTAIN_ETCD=http://${COREOS_PRIVATE_IPV4}:2379"),
        *([f"FLEETCAPTAIN_VERSIONS={json.dumps(spec.versions)}"] if spec.versions else []),
    ]
