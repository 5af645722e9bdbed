"""Whether the machines can open the secrets of a release that is to be deployed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetcaptain.machine.secrets_key import OPEN_AS_UNIT
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.secrets.secret_store import SecretStore, run_on_all

__all__ = ["Openers", "find_openers"]


@dataclass(frozen=True)
class Openers:
    """The addresses of machines that can open a release's secrets (*able*), and that cannot (*unable*). Those that do
    not answer are in neither."""

    able: tuple[str, ...] = ()
    unable: tuple[str, ...] = ()

    def obstacle(self) -> str:
        """Why the release cannot run, and what to do; "" if it can, or no machine answers."""
        if self.able or not self.unable:
            return ""
        return (
            f"no machine can open its secrets ({', '.join(self.unable)}): run `captain secrets check`. If the key of "
            "that time is lost, deploy the code of that release with `pulumi up`, which encrypts its values again"
        )

    def warning(self, tag: str) -> str:
        """Where units of the release *tag* would fail, and what to do; "" if nowhere."""
        if not self.able or not self.unable:
            return ""
        return (
            f"{', '.join(self.unable)} cannot open the secrets of {tag}, so units with secrets fail there: run "
            "`captain machine-key`. If the key was renewed since that release, deploy its code with `pulumi up`, "
            "which encrypts its values again"
        )


def find_openers(cluster: Cluster, secrets: Mapping[str, str]) -> Openers:
    """Ask each machine of *cluster* to open one of the *secrets* of a release (name -> digest): a deployment encrypts
    all of them for one key. No machine is asked without *secrets*, or if etcd does not have that one."""
    if not secrets:
        return Openers()
    name = min(secrets)
    encrypted, header = SecretStore(cluster).example(name, secrets[name])
    if not encrypted:
        return Openers()
    addresses = sorted(machine.ip for machine in cluster.snapshot().machines.values())
    outputs = run_on_all(cluster, addresses, OPEN_AS_UNIT, encrypted)
    opens = {address: header in output.splitlines() for address, output in outputs.items() if output is not None}
    return Openers(
        tuple(address for address, is_able in opens.items() if is_able),
        tuple(address for address, is_able in opens.items() if not is_able),
    )
