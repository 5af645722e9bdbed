"""The beacon: a small unit on every machine that keeps the registrations of its live units, and drops the others'."""

from __future__ import annotations

from fleetcaptain.units.mark import Mark, mark_options
from fleetcaptain.units.names import global_name
from fleetcaptain.units.place import MACHINE, TTL_SEC, Place
from fleetcaptain.units.quoting import shell_line
from fleetcaptain.units.text import Option, serialize

__all__ = ["beacon", "beacon_line", "beacon_name"]

_PERIOD_SEC = 20


def beacon_name(app: str) -> str:
    """The beacon's unit: ``behavioral-beacon.service``."""
    return global_name(_service(app))


def beacon(app: str, stack: str) -> str:
    """The canonical text of the beacon of *app*."""
    return serialize(
        [
            Option("Unit", "Description", f"Keeps {app}'s registrations alive while their units are"),
            Option("Service", "Restart", "always"),
            Option("Service", "RestartSec", "5"),
            Option("Service", "ExecStart", beacon_line(app)),
            Option("X-Fleet", "Global", "true"),
            *mark_options(Mark(app, stack, _service(app))),
        ]
    )


def beacon_line(app: str, place: Place = MACHINE, period_sec: float = _PERIOD_SEC) -> str:
    """Walks the files of this machine's registrations, for each by the state of its unit:

    active: renew the key if it still has this value, and put it anew if it is gone; one that has another value is left.
    On its way up: left, since the unit itself is about to register. Anything else: drop the file, and the key if it has
    this value. The file goes first: a unit that starts meanwhile writes its own, which must stay.
    """
    etcd = "curl -s -m 5 -o /dev/null"
    return shell_line(
        [
            "while :; do",
            f"  for file in {place.folder(app, '*')}/*; do",
            '    value=$(cat "$file" 2>/dev/null) || continue;',
            "    unit=${file##*/};",
            f"    key={place.etcd}${{file#{place.run}}};",
            '    case $(systemctl is-active "${unit%~*}") in',
            "    active|reloading)",
            f'      code=$({etcd} -w "%{{http_code}}" -d refresh=true -d ttl={TTL_SEC}',
            '        --data-urlencode "prevValue=$value" -X PUT "$key");',
            f'      test "$code" != 404 || {etcd} -d prevExist=false -d ttl={TTL_SEC}',
            '        --data-urlencode "value=$value" -X PUT "$key" ;;',
            "    inactive|failed|deactivating|unknown)",
            '      rm -f "$file";',
            f'      {etcd} -G --data-urlencode "prevValue=$value" -X DELETE "$key" ;;',
            "    esac;",
            "  done;",
            f"  sleep {period_sec};",
            "done",
        ]
    )


def _service(app: str) -> str:
    return f"{app}-beacon"
