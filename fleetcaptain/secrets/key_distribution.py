"""Gives all machines of a cluster one key for secrets; see `fleetcaptain.machine.secrets_key`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, FleetCaptainError
from fleetcaptain.machine.secrets_key import COPY, DONE, GENERATE, INSTALL, OPEN, READ, MachineKey, most_common
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.secrets.secret_store import run_as_root

__all__ = ["KeyState", "MachineKeys", "can_open", "verdicts"]


@dataclass(frozen=True)
class KeyState:
    """A machine at *address*: its *key*, whether it *answers*, and whether it *opens* the
    secret that was tried, None without one."""

    address: str
    key: MachineKey | None = None
    answers: bool = True
    opens: bool | None = None


class MachineKeys:
    """The keys of the machines of *cluster*. *report* gets a line for each step."""

    def __init__(self, cluster: Cluster, report: Callable[[str], None] = lambda _: None) -> None:
        self._cluster = cluster
        self._report = report

    def states(self, encrypted: str = "", header: str = "") -> tuple[KeyState, ...]:
        """The state of each machine. *encrypted*: the value of a secret in etcd, which each tries to open; *header*:
        its first line in clear."""
        found = []
        for machine in sorted(self._cluster.snapshot().machines.values(), key=lambda one: one.ip):
            output = run_as_root(self._cluster, machine.ip, READ)
            if output is None:
                found.append(KeyState(machine.ip, answers=False))
                continue
            opens = (
                (run_as_root(self._cluster, machine.ip, OPEN, encrypted) or "").strip() == header if encrypted else None
            )
            found.append(KeyState(machine.ip, MachineKey.of(output), opens=opens))
        return tuple(found)

    def distribute(self, *, renew: bool = False, made: bool = False) -> None:
        """Give every machine the key that most have, or a new one if none has one, or *renew*. A key that is replaced
        is kept beside the new one, so that units can be started until they are deployed again. *made*: the stack made
        the machines with a key, and only it can make one. May be repeated.

        Raises ClusterUnreachable, with nothing changed, when a machine does not answer; FleetCaptainError when one does
        not take the key.
        """
        states = self.states()
        silent = [state.address for state in states if not state.answers]
        if silent or not states:
            raise ClusterUnreachable(
                f"Cannot give the machines a key: {', '.join(silent) or 'none'} does not answer over SSH. Nothing was "
                "changed. Check `captain doctor`, or remove the machine from fleet, then run the same command again."
            )
        key = None if renew else most_common({state.address: state.key for state in states})
        if made and key is None:
            raise _key_of_stack()
        source = next((state.address for state in states if key is not None and state.key == key), "")
        pem = self._output(source or states[0].address, COPY if source else GENERATE)
        for state in states:
            if renew or state.key is None or state.key != key:
                self._report(f"giving {state.address} the key")
                self._output(state.address, INSTALL, pem)

    def _output(self, address: str, script: str, text: str = "") -> str:
        output = run_as_root(self._cluster, address, script, text)
        if output is None or DONE not in output:
            raise FleetCaptainError(
                f"Could not set up the key for secrets on {address}. Run the same command again; it needs root's "
                "rights there (`sudo -n true`) and OpenSSL 3 (`openssl version`)."
            )
        return output


def verdicts(states: tuple[KeyState, ...]) -> list[tuple[KeyState, str]]:
    """Each machine, and whether it can open the secrets, or what to do. Pure."""
    usual = most_common({state.address: state.key for state in states})
    return [(state, _verdict(state, usual)) for state in states]


def _verdict(state: KeyState, usual: MachineKey | None) -> str:
    if not state.answers:
        return "does not answer over SSH"
    if state.key is None:
        return "cannot open secrets: it has no key. Run `captain machine-key`"
    if state.key != usual:
        return "cannot open secrets: it has another key than most. Run `captain machine-key`"
    if state.opens is False:
        return "cannot open the secrets that etcd has: they are encrypted for another key. Run `pulumi up`"
    return "opens secrets" if state.opens else "has the key; etcd has no secret to try it with"


def can_open(states: tuple[KeyState, ...]) -> bool:
    """Whether every machine can open the secrets. Pure."""
    usual = most_common({state.address: state.key for state in states})
    return usual is not None and all(
        state.answers and state.key == usual and state.opens is not False for state in states
    )


def _key_of_stack() -> ClusterRefused:
    """The error for a cluster whose stack made the machines, with the key."""
    return ClusterRefused(
        "Cannot change the key of this cluster: its stack made the machines, and each gets the key when it is made. "
        "Nothing was changed.",
        ["Check the machines with `captain secrets check`."],
    )
