"""The encrypted secrets of an app in etcd, and the machines' key."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from fleetcaptain.discovery.keys import registries_key, secret_key
from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, FleetCaptainError
from fleetcaptain.fleet.root_command import as_root
from fleetcaptain.machine.secrets_key import DONE, ENCRYPT, OPEN_AS_UNIT, READ, MachineKey, most_common
from fleetcaptain.release.repository import read_secret_digests
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.secrets.secret_digest import secret_digest

__all__ = ["LOGINS", "SecretStore", "no_key", "run_as_root", "run_on_all"]

LOGINS = "registries"
"""The name of the logins at registries among secrets; see registries.sh."""

_COMMAND_SEC = 30.0
_AT_ONCE = 4
_ENCRYPTED = re.compile(rf"([A-Za-z0-9+/]+={{0,2}})\n{re.escape(DONE)}\n")


class SecretStore:
    """The secrets of the app of *cluster*."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._app = cluster.app

    def keys(self) -> dict[str, MachineKey | None]:
        """Address -> the key of that machine, for all that answer. Raises ClusterUnreachable when none does."""
        addresses = sorted(machine.ip for machine in self._cluster.snapshot_for_refresh().machines.values())
        outputs = run_on_all(self._cluster, addresses, READ)
        found = {address: MachineKey.of(output) for address, output in outputs.items() if output is not None}
        if not found:
            raise ClusterUnreachable(
                "Could not read the key for secrets: no machine accepts a command over SSH. Check `captain doctor`; "
                "fleetcaptain:fleet must have ssh:// addresses."
            )
        return found

    def digests(self, key: MachineKey, values: Mapping[str, str]) -> dict[str, str]:
        """Name -> digest of *values* (name -> value)."""
        return {name: secret_digest(key.digest_key, self._app, name, value) for name, value in sorted(values.items())}

    def known(self) -> frozenset[str]:
        """The digests of all that etcd has."""
        return read_secret_digests(self._cluster.store, self._app)

    def write(self, values: Mapping[str, str]) -> dict[str, str]:
        """Encrypt those of *values* (name -> value) that etcd does not have, and write them. Returns their digests.

        Raises ClusterRefused when no machine has the key, FleetCaptainError when a machine cannot encrypt."""
        key, machine = self._encrypting()
        digests = self.digests(key, values)
        known = self.known()
        missing = [name for name in digests if digests[name] not in known]

        def put(name: str) -> None:
            header = _header(self._app, name, digests[name])
            encrypted = self._encrypted(machine, f"the secret {name}", header, values[name])
            self._cluster.store.write(secret_key(self._app, digests[name]), encrypted)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(put, missing))
        return digests

    def example(self, name: str, digest: str) -> tuple[str, str]:
        """The encrypted value of a secret, in base64, and its first line in clear; "" if etcd does not have it."""
        node = self._cluster.store.read(secret_key(self._app, digest))
        return (node.value if node else ""), _header(self._app, name, digest)

    def names(self, digests: Collection[str]) -> dict[str, str]:
        """Digest -> the name of that secret, which a machine reads in the encrypted value; without those that it cannot
        open."""
        with_key = [address for address, key in sorted(self.keys().items()) if key is not None]
        if not with_key:
            return {}

        def name_of(digest: str) -> str:
            encrypted, _ = self.example("", digest)
            output = run_as_root(self._cluster, with_key[0], OPEN_AS_UNIT, encrypted) if encrypted else None
            found = re.search(_header(self._app, r"(\w+)", digest), output or "", re.ASCII)
            return found[1] if found else ""

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = zip(digests, pool.map(name_of, digests), strict=True)
            return {digest: name for digest, name in found if name}

    def write_logins(self, config: str) -> str:
        """Encrypt the logins at registries, docker's *config*, and write them. Returns their digest, as the secret
        `LOGINS`. Raises as `write`."""
        key, machine = self._encrypting()
        encrypted = self._encrypted(machine, "the logins at registries", f"fleetcaptain {self._app} {LOGINS}", config)
        self._cluster.store.write(registries_key(self._app), encrypted)
        return self.digests(key, {LOGINS: config})[LOGINS]

    def has_logins(self) -> bool:
        """Whether etcd has logins at registries."""
        return self._cluster.store.read(registries_key(self._app)) is not None

    def forget_logins(self) -> None:
        """Remove the logins at registries."""
        self._cluster.store.delete(registries_key(self._app))

    def _encrypting(self) -> tuple[MachineKey, str]:
        """The machines' key, and the address of one that has it."""
        keys = self.keys()
        key = most_common(keys)
        if key is None:
            raise ClusterRefused("Cannot encrypt the secrets. No unit was changed:", [no_key()])
        return key, next(address for address, found in sorted(keys.items()) if found == key)

    def _encrypted(self, machine: str, what: str, header: str, value: str) -> str:
        clear = f"{header}\n{value}".encode()
        output = run_as_root(self._cluster, machine, ENCRYPT, base64.b64encode(clear).decode(errors="strict"))
        found = _ENCRYPTED.fullmatch(output or "")
        if found is None:
            raise FleetCaptainError(
                f"Could not encrypt {what} on {machine}. No unit was changed. The machine needs OpenSSL 3: "
                "look at `openssl version` there, then run the same command again."
            )
        return found[1]


def run_as_root(cluster: Cluster, address: str, script: str, text: str = "") -> str | None:
    """The output of *script* with the input *text*, as root on the machine at *address*; None if it does not answer."""
    return cluster.run(address, as_root(["sh", "-c", script]), _COMMAND_SEC, text)


def run_on_all(cluster: Cluster, addresses: Sequence[str], script: str, text: str = "") -> dict[str, str | None]:
    """Address -> the output of *script*, as `run_as_root` has it, on all machines at once."""
    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        outputs = pool.map(lambda address: run_as_root(cluster, address, script, text), addresses)
        return dict(zip(addresses, outputs, strict=True))


def _header(app: str, name: str, digest: str) -> str:
    """As in secrets.sh: it ties an encrypted value to one secret, so that it can be no other one's."""
    return f"fleetcaptain {app} {name} {digest}"


def no_key() -> str:
    """What to do when no machine has the key. The stack's outputs do not name a machine before its first deployment."""
    return (
        "no machine has the key for secrets: run `captain machine-key`, before the first deployment of this stack as "
        "`captain machine-key --ssh USER@MACHINE`, then the same command again"
    )
