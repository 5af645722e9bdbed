"""The files with which a machine's fleetd logs in to etcd, and the scripts that install and remove them. Pure.

The scripts run as root. They get passwords through standard input and store them in files only: not in arguments, a
unit's text or a log. Their texts are compared by hash: any change of KEEP_MACHINE makes every machine "not ready".
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetcaptain.discovery.access import FLEET, ROOT
from fleetcaptain.fleet.ssh import PASSWORD_FILE
from fleetcaptain.machine import fleet
from fleetcaptain.machine.tls import user_files

__all__ = [
    "CLEAR",
    "FLEET_FILE",
    "INSPECT",
    "KEEP_MACHINE",
    "PREPARE",
    "READ",
    "UNITS",
    "Login",
    "Passwords",
    "drop_in",
    "units_in",
]

FLEET_FILE = "/etc/fleetcaptain/etcd-fleet.env"
_SCRIPT_FILE = "/etc/fleetcaptain/keep-machine"
_DROP_IN_FOLDER = "/etc/systemd/system/fleet.service.d"
_DROP_IN_FILE = f"{_DROP_IN_FOLDER}/20-fleetcaptain-etcd.conf"
_SECRETS = {FLEET_FILE: "600 root root", PASSWORD_FILE: "640 root core"}
_TEXTS_MODE = "644 root root"
_FACT = re.compile(r"fleetcaptain: (\S+)=(.*)")
_BYTES = 32

_ENVIRON = """\
environ() { tr '\\0' '\\n' < "/proc/$(systemctl show -p MainPID fleet.service | sed 's/.*=//')/environ"; }
"""
# With systemctl restart alone fleetd would stop its units; a fleetd that is already dead stops none.
_FUNCTIONS = f"""\
{_ENVIRON}restart() {{ systemctl kill -s KILL fleet.service || true; systemctl restart fleet.service; }}
put() {{ cat > "$1.new"; chmod "$2" "$1.new"; chgrp "$3" "$1.new"; mv -f "$1.new" "$1"; }}
"""

KEEP_MACHINE = f"""\
#!/bin/sh
# etcd as fleetd sees it.
user=$FLEET_ETCD_USERNAME:$FLEET_ETCD_PASSWORD
login() {{ [ "$user" = : ] || printf 'user = "%s"\\n' "$user"; }}
curl() {{ login | command curl -K - "$@"; }}
{fleet.KEEP_MACHINE}"""
"""As in `fleetcaptain.machine.fleet`, but with the password of fleetd."""

INSPECT = f"""\
say() {{ echo "fleetcaptain: $1=$2"; }}
{_ENVIRON}say id "$(cat /etc/machine-id)"
for file in {FLEET_FILE} {PASSWORD_FILE} {_SCRIPT_FILE} {_DROP_IN_FILE}; do
  [ ! -f "$file" ] || say "$file" "$(sha256sum < "$file" | cut -c 1-64) $(stat -c '%a %U %G' "$file")"
done
[ ! -e {user_files(ROOT)[0]} ] || say certificates yes
! getent group core > /dev/null || say group yes
! curl -s -m 5 -o /dev/null http://127.0.0.1:2379/version || say etcd yes
! systemctl cat fleet.service > /dev/null 2>&1 || say fleetd yes
! environ | grep -q '^FLEET_ETCD_PASSWORD=' || say password yes
[ ! -f {FLEET_FILE} ] || [ "$(environ | grep -cxFf {FLEET_FILE})" != 2 ] || say current yes
"""
"""Prints the input of `Login.of`."""

PREPARE = f"""\
set -eu
umask 077
{_FUNCTIONS}IFS= read -r fleet
IFS= read -r root
mkdir -p -m 755 /etc/fleetcaptain {_DROP_IN_FOLDER}
printf 'FLEET_ETCD_USERNAME={FLEET}\\nFLEET_ETCD_PASSWORD=%s\\n' "$fleet" | put {FLEET_FILE} 600 root
printf '%s\\n' "$root" | put {PASSWORD_FILE} 640 core
printf '%s\\n' "$1" | put {_SCRIPT_FILE} 644 root
printf '%s\\n' "$2" | put {_DROP_IN_FILE} 644 root
systemctl daemon-reload
restart
"""
"""Arguments: `KEEP_MACHINE` and the drop-in, each without its last newline. Input: fleet's and root's password, a line
each."""

READ = f"cat {FLEET_FILE} {PASSWORD_FILE}"
"""Prints the input of `Passwords.of`."""

CLEAR = f"""\
set -eu
umask 077
{_FUNCTIONS}if environ | grep -q '^FLEET_ETCD_PASSWORD='; then
  printf '%s\\n' "$1" | put {_SCRIPT_FILE} 644 root
  printf '%s\\n' "$2" | put {_DROP_IN_FILE} 644 root
  systemctl daemon-reload
  restart
fi
rm -f {_DROP_IN_FILE} {FLEET_FILE} {PASSWORD_FILE} {_SCRIPT_FILE}
systemctl daemon-reload
rmdir {_DROP_IN_FOLDER} /etc/fleetcaptain 2> /dev/null || true
"""
"""Arguments: as for `PREPARE`, with the drop-in without a password."""

UNITS = """\
cd /run/fleet/units 2> /dev/null || exit 0
for unit in *; do
  [ ! -e "$unit" ] || { systemctl show -p Id -p ActiveState -p ActiveEnterTimestampMonotonic "$unit"; echo; }
done
"""
"""Prints the input of `units_in`: fleet's units on the machine."""


def drop_in(address: str, *, password: bool = True) -> str:
    """The drop-in of ``fleet.service`` on the machine that fleet knows by *address*."""
    environment = f"EnvironmentFile={FLEET_FILE}\n" if password else ""
    return f"[Service]\n{environment}ExecStartPre=-/bin/sh {_SCRIPT_FILE} %m {address}\n"


@dataclass(frozen=True)
class Passwords:
    """The passwords of etcd's users ``fleet`` and ``root``."""

    fleet: str = field(repr=False)
    root: str = field(repr=False)

    @classmethod
    def random(cls) -> Passwords:
        """New random passwords."""
        return cls(secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES))

    @classmethod
    def of(cls, output: str) -> Passwords | None:
        """The passwords in the output of `READ`; None when they are missing."""
        form = r"[A-Za-z0-9_-]{20,128}"
        found = re.search(rf"^FLEET_ETCD_PASSWORD=({form})\n({form})\n", output, re.MULTILINE)
        return cls(found[1], found[2]) if found else None

    @property
    def text(self) -> str:
        """The input of `PREPARE`."""
        return f"{self.fleet}\n{self.root}\n"

    @property
    def users(self) -> Mapping[str, str]:
        """User -> password."""
        return {FLEET: self.fleet, ROOT: self.root}


@dataclass(frozen=True)
class Login:
    """The state of a machine. *facts*: the output of `INSPECT`, name -> value; the value of a file is its SHA-256, mode
    and owners."""

    facts: Mapping[str, str]

    @classmethod
    def of(cls, output: str) -> Login:
        """Parse the output of `INSPECT`. Other lines are ignored."""
        found = (_FACT.fullmatch(line) for line in output.splitlines())
        return cls({one[1]: one[2] for one in found if one})

    @property
    def machine_id(self) -> str:
        """The machine's id, which is also fleet's."""
        return self.facts.get("id", "")

    @property
    def has_certificates(self) -> bool:
        """Whether etcd identifies its users by certificates here."""
        return "certificates" in self.facts

    @property
    def secrets(self) -> tuple[str, ...] | None:
        """Hashes that identify the machine's passwords; None unless it has both, each with its exact owner and mode."""
        values = [self.facts.get(path, "") for path in _SECRETS]
        whole = all(value.endswith(f" {mode}") for value, mode in zip(values, _SECRETS.values(), strict=True))
        return tuple(values) if whole else None

    @property
    def is_clear(self) -> bool:
        """Whether the machine has none of these files and its fleetd uses no password."""
        return not {*_SECRETS, _SCRIPT_FILE, _DROP_IN_FILE, "password"} & self.facts.keys()

    def is_ready(self, address: str, reference: tuple[str, ...] | None) -> bool:
        """Whether its fleetd uses the passwords of *reference* and has the keep-machine script."""
        texts = {_SCRIPT_FILE: KEEP_MACHINE, _DROP_IN_FILE: drop_in(address)}
        return (
            self.secrets is not None
            and self.secrets == reference
            and "current" in self.facts
            and all(self.facts.get(path) == f"{_sha256(text)} {_TEXTS_MODE}" for path, text in texts.items())
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Why this machine cannot be prepared."""
        needed = {
            "fleetd": "it has no fleet.service",
            "etcd": "etcd does not answer at http://127.0.0.1:2379, which the keep-machine script needs",
            "group": "it has no group `core`, which must be able to read root's password",
        }
        return tuple(text for name, text in needed.items() if name not in self.facts)


def units_in(output: str) -> dict[str, tuple[str, str]]:
    """Unit -> (state, when it became active), from the output of `UNITS`."""
    found = {}
    for block in output.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            found[values["Id"]] = (values.get("ActiveState", ""), values.get("ActiveEnterTimestampMonotonic", ""))
    return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
