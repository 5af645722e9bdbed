"""The lines by which a unit registers and unregisters its service in etcd. They require only curl.

The value is also kept in a file with the same path as its key. The unit removes and the beacon renews the key only if
it still has that value, so that a machine never changes a registration of another one. A registration by the app itself
(see `registered_by_app`) replaces the unit's, and is removed with it.
"""

from __future__ import annotations

import json

from fleetcaptain.fleetfile.values import Port, ServiceSpec
from fleetcaptain.units.docker import port_key
from fleetcaptain.units.machine_paths import MACHINE, TTL_SEC, MachinePaths
from fleetcaptain.units.published_address import DIRECT, HOST, ask_docker, host_word, known_number
from fleetcaptain.units.quoting import Expanded, shell_line
from fleetcaptain.units.registration_match import INDEX, registered_by_app

__all__ = ["register_line", "unregister_line"]


def register_line(spec: ServiceSpec, app: str, place: MachinePaths = MACHINE) -> str:
    """Writes the registration to its file and to etcd, in up to ten attempts; a failure fails the unit's start.

    A registration by the app in this run of the unit stays. The content is the SHA1 of the unit file on the machine:
    fleet writes exactly the text that it hashes.
    """
    asked = [(port, f"port{index}") for index, port in enumerate(spec.ports) if known_number(spec, port) is None]
    numbers = [f"${{{variable}##*:}}" for _, variable in asked]
    first = [number for (port, _), number in zip(asked, numbers, strict=True) if port is spec.ports[0]]
    filled = ["%n", "$content", "$machine", "$host", *numbers, host_word(next(iter(spec.ports), None)), *first]
    # Without -f, to see the 412; hence also without -o: curl fails if it has to rewind /dev/null for a retry.
    etcd = "curl -sS -m 5 --retry 9 --retry-delay 1 --retry-all-errors"
    return shell_line(
        [
            HOST,
            Expanded(f"machine=%m; key={place.keys(app, spec.name)}/%n;"),
            Expanded(f"content=$(sha1sum <{place.units}/%n) &&"),
            "content=${content%% *} &&",
            *(Expanded(ask_docker(port, variable, app)) for port, variable in asked),
            f"mkdir -p {place.folder(app, spec.name)} && cd {place.folder(app, spec.name)} &&",
            Expanded(f'printf "$1" {" ".join(filled)} $(date -u +%%FT%%TZ) >.%n && mv .%n %n &&'),
            Expanded(f'put="-X PUT -d ttl={TTL_SEC} --data-urlencode value@%n $key" && etcd="{etcd}" &&'),
            'answer=$($etcd -w "%{http_code}" -d prevExist=false $put) && case $answer in',
            "  *201) ;;",
            f"  *412) found=$($etcd $key); case $found in {registered_by_app(run='$INVOCATION_ID')}) ;;",
            "    *) $etcd -f -o /dev/null $put ;; esac ;;",
            '  *) echo "etcd answered $answer"; exit 1 ;;',
            "esac",
        ],
        "register",
        _format(spec),
    )


def unregister_line(spec: ServiceSpec, app: str, place: MachinePaths = MACHINE, then: str = "") -> str:
    """Removes this unit's registration, or the one of its app, and continues with the shell line *then*.

    It takes at most 9 s. A failure is ignored: the beacon tries again while the file exists.
    """
    script = [
        DIRECT,
        Expanded(f"machine=%m; key={place.keys(app, spec.name)}/%n; file={place.folder(app, spec.name)}/%n;"),
        "{ test ! -f $file ||",
        "  curl -sS -m 2 --retry 1 -G -X DELETE --data-urlencode prevValue@$file $key >/dev/null; } &&",
        f"found=$(curl -sS -m 2 $key) && case $found in {registered_by_app()}) {INDEX}",
        "  curl -fsS -m 2 -o /dev/null -G -X DELETE -d prevIndex=$index $key ;; esac &&",
        "rm -f $file;" if then else "rm -f $file",
        *([Expanded(then)] if then else []),
    ]
    return "-" + shell_line(script)


def _format(spec: ServiceSpec) -> str:
    """The value as a ``printf`` format; values that only the machine knows are ``%s``, in the order of the keys."""
    ports = {port_key(port): _number(spec, port) for port in spec.ports}
    members = {
        "service": _literal(spec.name),
        "unit": '"%s"',
        "content": '"%s"',
        "machine": '"%s"',
        "host": '"%s"',
        "ports": _object(ports),
        "connection": _object({"host": '"%s"', "port": next(iter(ports.values()), "null")}),
        "versions": _literal(list(spec.versions)),
        "since": '"%s"',
    }
    return _object(members)


def _number(spec: ServiceSpec, port: Port) -> str:
    return str(known_number(spec, port) or "%s")


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def _literal(value: str | list[str]) -> str:
    return json.dumps(value, separators=(",", ":")).replace("\\", "\\\\").replace("%", "%%")
