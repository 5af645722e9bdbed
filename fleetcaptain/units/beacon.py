"""The beacon: a small unit on every machine that renews the registrations of running units and removes the others."""

from __future__ import annotations

from fleetcaptain.units.machine_paths import MACHINE, TTL_SEC, MachinePaths
from fleetcaptain.units.mark import Mark, mark_options
from fleetcaptain.units.names import global_name
from fleetcaptain.units.published_address import DIRECT
from fleetcaptain.units.quoting import Expanded, shell_line
from fleetcaptain.units.registration_match import INDEX, registered_by_app
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option

__all__ = ["beacon", "beacon_line", "beacon_name"]

_PERIOD_SEC = 20


def beacon_name(app: str) -> str:
    """The beacon's unit: ``behavioral-beacon.service``."""
    return global_name(_service(app))


def beacon(app: str, stack: str) -> UnitFile:
    """The file of the beacon of *app*."""
    return UnitFile(
        (
            Option("Unit", "Description", f"Keeps {app}'s registrations alive while their units are"),
            Option("Service", "Restart", "always"),
            Option("Service", "RestartSec", "5"),
            Option("Service", "ExecStart", beacon_line(app)),
            Option("X-Fleet", "Global", "true"),
            *mark_options(Mark(app, stack, _service(app))),
        )
    )


def beacon_line(app: str, place: MachinePaths = MACHINE, period_sec: float = _PERIOD_SEC) -> str:
    """The loop over the files of this machine's registrations. For each, by the state of its unit:

    active: renew the key if it still has this value, and create it again if it is missing. A key with another value
    stays, unless the unit's app registered it and left its renewal to the beacon. activating: nothing, because the unit
    is about to register. Anything else: remove the file, and the key if it has this value or one that the unit's app
    registered. The file is removed first: a unit that starts at the same time writes its own, which must stay.
    """
    found = 'found=$($etcd "$key"); case $found in'
    return shell_line(
        [
            DIRECT,
            Expanded('machine=%m; etcd="curl -s -m 5";'),
            f'renew="$etcd -X PUT -d refresh=true -d ttl={TTL_SEC}"; drop="$etcd -o /dev/null -G -X DELETE";',
            "while :; do",
            f"  for file in {place.folder(app, '*')}/*; do",
            '    value=$(cat "$file" 2>/dev/null) || continue;',
            "    unit=${file##*/};",
            f"    key={place.etcd}${{file#{place.run}}};",
            '    case $(systemctl is-active "$unit") in',
            "    active|reloading)",
            '      case $($renew -o /dev/null -w "%{http_code}" --data-urlencode "prevValue=$value" "$key") in',
            f"      404) $etcd -o /dev/null -X PUT -d prevExist=false -d ttl={TTL_SEC}",
            '        --data-urlencode "value=$value" "$key" ;;',
            f"      412) {found} {registered_by_app('beacon')})",
            f'        {INDEX} $renew -o /dev/null -d prevIndex=$index "$key" ;; esac ;;',
            "      esac ;;",
            "    inactive|failed|deactivating|unknown)",
            '      rm -f "$file";',
            '      $drop --data-urlencode "prevValue=$value" "$key";',
            f"      {found} {registered_by_app()})",
            f'        {INDEX} $drop -d prevIndex=$index "$key" ;; esac ;;',
            "    esac;",
            "  done;",
            f"  sleep {period_sec};",
            "done",
        ]
    )


def _service(app: str) -> str:
    return f"{app}-beacon"
