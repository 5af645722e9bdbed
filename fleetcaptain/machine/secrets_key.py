"""The key of a cluster's machines, with which they decrypt secrets: what they say of it, and the scripts. Pure.

It is a pair of keys (P-256), the same on all machines of a cluster, which only root reads. Values are encrypted to its
certificate as CMS (RFC 5652) with AES-256-GCM (RFC 5084), by OpenSSL 3, which Flatcar and Debian bring: it is
authenticated, in a standard format, and needs no program of ours. systemd-creds would need the key of one machine,
and ``openssl enc`` has no authentication. The operator's computer never has the key of a cluster that others made: it
sends a value to a machine, and gets it back encrypted. Scripts run as root, and no value is in an argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

__all__ = [
    "COPY",
    "DONE",
    "ENCRYPT",
    "GENERATE",
    "INSTALL",
    "OPEN",
    "OPEN_AS_UNIT",
    "READ",
    "SECRETS_CERT",
    "SECRETS_KEY",
    "MachineKey",
    "most_common",
]

SECRETS_KEY = "/etc/fleetcaptain/secrets.key"
SECRETS_CERT = "/etc/fleetcaptain/secrets.crt"

DONE = "fleetcaptain: done"
"""The last line of a script that succeeded."""

_LINE = re.compile(r"^fleetcaptain: secrets (?P<fingerprint>[0-9a-f]{64}) (?P<digest_key>[0-9a-f]{64})$", re.MULTILINE)

READ = f"""\
[ -r {SECRETS_KEY} ] && [ -r {SECRETS_CERT} ] || exit 0
fingerprint=$(openssl pkey -in {SECRETS_KEY} -pubout | sha256sum)
[ "$fingerprint" = "$(openssl x509 -in {SECRETS_CERT} -noout -pubkey | sha256sum)" ] || exit 0
digests=$({{ echo digests; cat {SECRETS_KEY}; }} | sha256sum)
echo "fleetcaptain: secrets ${{fingerprint%% *}} ${{digests%% *}}"
"""
"""Prints the input of `MachineKey.of`; nothing without a key, or with a certificate of another key."""

ENCRYPT = f"""\
base64 -d | openssl cms -encrypt -binary -aes-256-gcm -outform DER -recip {SECRETS_CERT} -keyopt ecdh_kdf_md:sha256 |
  base64 | tr -d '\\n' && echo && echo '{DONE}'
"""
"""Encrypts its input, which is in base64, and prints the result in base64, a line, and `DONE`."""

GENERATE = f"""\
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj '/CN=fleetcaptain secrets' \
  -keyout /dev/stdout -out /dev/stdout 2>/dev/null && echo '{DONE}'
"""
"""Prints a new key and its certificate, in PEM, and `DONE`."""

COPY = f"cat {SECRETS_KEY} {SECRETS_CERT} && echo '{DONE}'"
"""Prints the machine's key and its certificate, in PEM, and `DONE`."""


def _opening(keys: str) -> str:
    return f"""\
umask 077
copy=$(mktemp) && trap 'rm -f "$copy"' EXIT && base64 -d >"$copy" || exit
for key in {keys}; do
  [ ! -f "$key" ] || openssl cms -decrypt -binary -inform DER -in "$copy" -inkey "$key" 2>/dev/null | head -n 1
done
"""


OPEN = _opening(SECRETS_KEY)
"""Prints the first line of the encrypted value that is its input, in base64: which secret it is, not its value."""

OPEN_AS_UNIT = _opening(f"{SECRETS_KEY} {SECRETS_KEY}.*.old")
"""As `OPEN`, also with the keys that the machine had before, as a unit's start does."""

INSTALL = f"""\
set -eu
umask 077
mkdir -p -m 755 /etc/fleetcaptain
cd /etc/fleetcaptain
cat >.secrets
sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' .secrets >{SECRETS_CERT}.new
sed -n '/BEGIN [A-Z ]*PRIVATE KEY/,/END [A-Z ]*PRIVATE KEY/p' .secrets >{SECRETS_KEY}.new
rm -f .secrets
if [ -s {SECRETS_KEY} ] && ! [ "$(cat {SECRETS_KEY})" = "$(cat {SECRETS_KEY}.new)" ]; then
  sum=$(sha256sum <{SECRETS_KEY} | cut -c 1-16)
  cp {SECRETS_KEY} "{SECRETS_KEY}.$sum.old"
fi
mv -f {SECRETS_CERT}.new {SECRETS_CERT}
mv -f {SECRETS_KEY}.new {SECRETS_KEY}
echo '{DONE}'
"""
"""Its input: the output of `GENERATE` or `COPY`. A key that it replaces is kept, with the ending ``.old``."""


@dataclass(frozen=True)
class MachineKey:
    """What a machine says of its key: the SHA-256 of the public key (*fingerprint*), and the key of `secret_digest`,
    which follows from the private one."""

    fingerprint: str
    digest_key: bytes = field(repr=False)

    @classmethod
    def of(cls, output: str) -> Self | None:
        """The key in the *output* of `READ`; None if the machine has none."""
        found = _LINE.search(output)
        return cls(found["fingerprint"], bytes.fromhex(found["digest_key"])) if found else None


def most_common(keys: Mapping[str, MachineKey | None]) -> MachineKey | None:
    """The key that most machines have; *keys* maps an address to its machine's. None if none has one."""
    known = [key for _, key in sorted(keys.items()) if key is not None]
    return max(known, key=known.count, default=None)
