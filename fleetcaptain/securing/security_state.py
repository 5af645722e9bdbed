"""The state of a cluster's password authentication, and the steps that change it. Pure."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetcaptain.discovery.access import is_open_dir
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.securing.machine_login import CLEAR, KEEP_MACHINE, PREPARE, Login, drop_in

__all__ = [
    "APPLY",
    "UNDO",
    "Beat",
    "Secured",
    "SecuredMachine",
    "argv_to",
    "as_json",
    "beats_in",
    "dirs_open_to",
    "lines",
    "problems",
    "refuse",
    "to_do",
]

APPLY, UNDO = "apply", "undo"
"""The two changes."""


@dataclass(frozen=True)
class SecuredMachine:
    """A machine: its *id*, its SSH destination (*host*), its *address* in fleet, whether fleet *listed* it, and its
    *login*. *problem*: why the login is unknown."""

    id: str
    host: str
    address: str
    listed: bool
    login: Login = field(default_factory=lambda: Login({}))
    problem: str = ""


@dataclass(frozen=True)
class Secured:
    """The observed state: whether the *v2* and the *v3* API require a login (None: no v3 API), what *guest* may
    ``read`` and ``write`` (None: unknown), the other directories of etcd, and the running *rollouts*."""

    v2: bool
    v3: bool | None
    machines: tuple[SecuredMachine, ...]
    guest: Mapping[str, Sequence[str]] | None = None
    directories: tuple[str, ...] = ()
    rollouts: tuple[str, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether either API requires a login."""
        return self.v2 or bool(self.v3)

    @property
    def certified(self) -> tuple[SecuredMachine, ...]:
        """The machines on which etcd identifies its users by certificates."""
        return tuple(machine for machine in self.machines if machine.login.has_certificates)

    @property
    def reference(self) -> tuple[str, ...] | None:
        """The secrets that most machines have; None when none has any."""
        common = Counter(secrets for one in self.machines if (secrets := one.login.secrets)).most_common(1)
        return common[0][0] if common else None

    @property
    def keeper(self) -> SecuredMachine | None:
        """A machine that has the passwords of most machines."""
        reference = self.reference
        return next((one for one in self.machines if reference and one.login.secrets == reference), None)

    def is_ready(self, machine: SecuredMachine) -> bool:
        """Whether the fleetd of *machine* keeps working once authentication is on."""
        return machine.login.is_ready(machine.address, self.reference)


@dataclass(frozen=True)
class Beat:
    """A machine's heartbeat: when its key was *created* and last *modified*, by etcd's index, and how long it lives."""

    created: int
    modified: int
    ttl_sec: int


def beats_in(answer: str) -> dict[str, Beat]:
    """Machine id -> heartbeat, from etcd's recursive *answer*."""
    found = {}
    try:
        for directory in json.loads(answer)["node"].get("nodes", ()):
            name = str(directory["key"]).rpartition("/")[2]
            for node in directory.get("nodes", ()):
                # A name that begins with - is the placeholder of a machine whose fleetd is restarting.
                if str(node["key"]).endswith("/object") and not name.startswith("-"):
                    beat = Beat(int(node["createdIndex"]), int(node["modifiedIndex"]), int(node.get("ttl", 0)))
                    found[name] = beat
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return found


def dirs_open_to(guest: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The directories that *guest* may write, except the apps' registrations."""
    directories = (pattern.removesuffix("/*") for pattern in guest.get("write", ()) if pattern.endswith("/*"))
    return tuple(directory for directory in directories if is_open_dir(directory))


def to_do(secured: Secured, what: str) -> tuple[SecuredMachine, ...]:
    """The machines to change, in this order."""
    reachable = [machine for machine in secured.machines if not machine.problem]
    if what == UNDO:
        return tuple(machine for machine in reachable if not machine.login.is_clear)
    return tuple(machine for machine in reachable if not secured.is_ready(machine))


def argv_to(machine: SecuredMachine, what: str) -> list[str]:
    """The command that changes *machine*."""
    script = PREPARE if what == APPLY else CLEAR
    return ["sudo", "-n", "sh", "-c", script, what, KEEP_MACHINE, drop_in(machine.address, password=what == APPLY)]


def _shown(machine: SecuredMachine) -> str:
    """The same command, shortened for a reader who has the scripts."""
    text = shlex.quote(drop_in(machine.address).removesuffix("\n"))
    return f'on {machine.host}: sudo -n sh -c "$PREPARE" {APPLY} "$KEEP_MACHINE" {text}'


def problems(secured: Secured, what: str, open_dirs: Collection[str] = ()) -> list[str]:
    """Why *what* is refused; empty when it is not."""
    found = [
        f"--open {one}: must have the form /directory and must not be fleet's or ours" for one in _closed(open_dirs)
    ]
    certified = [machine.host for machine in secured.certified]
    if certified:
        found.append(
            f"etcd identifies its users by certificates on {', '.join(certified)}: `pulumi up` of their stack secures "
            "it; do not run captain secure"
        )
    if not secured.machines:
        found.append("fleet lists no machines")
    for machine in secured.machines:
        if machine.problem and machine.listed:
            found.append(f"{machine.host}: fleet lists this machine, so it must be prepared too. {machine.problem}")
        elif not machine.problem and what == APPLY:
            found += [f"{machine.host}: {problem}" for problem in machine.login.problems]
    if secured.is_on and secured.reference is None and not certified:
        found.append("etcd already requires a login, but no machine has the password: another tool turned it on")
    found += [f"{service} is being rolled out; wait until the rollout is done" for service in secured.rollouts]
    return found


def refuse(secured: Secured, what: str, open_dirs: Collection[str] = ()) -> None:
    """Raise ClusterRefused when there are `problems`."""
    found = problems(secured, what, open_dirs)
    if found:
        raise ClusterRefused(f"Cannot run captain secure --{what}. Nothing was changed:", found)


def as_json(secured: Secured, open_dirs: Collection[str] = ()) -> dict[str, Any]:
    """The state and the steps, as JSON."""
    return {
        "v2": secured.v2,
        "v3": secured.v3,
        "guest": None if secured.guest is None else {kind: list(found) for kind, found in secured.guest.items()},
        "machines": [
            {
                "id": machine.id,
                "host": machine.host,
                "ready": secured.is_ready(machine),
                "problems": [machine.problem] if machine.problem else list(machine.login.problems),
            }
            for machine in secured.machines
        ],
        "directories": list(secured.directories),
        "steps": {
            what: [{"host": machine.host, "command": shlex.join(argv_to(machine, what))} for machine in machines]
            for what in (APPLY, UNDO)
            for machines in [to_do(secured, what)]
        },
        "refused": {what: problems(secured, what, open_dirs) for what in (APPLY, UNDO)},
    }


def lines(secured: Secured, open_dirs: Collection[str] = ()) -> list[str]:
    """The state and the steps of `APPLY`, as text."""
    states = {True: "on", False: "off", None: "missing"}
    if secured.v2 and secured.machines and len(secured.certified) == len(secured.machines):
        return ["etcd identifies its users by certificates on every machine. Nothing to do.", _format_rights(secured)]
    found = [
        f"etcd's authentication: v2 API {states[secured.v2]}, v3 API {states[secured.v3]}",
        _format_rights(secured),
    ]
    for machine in secured.machines:
        state = "ready" if secured.is_ready(machine) else "not ready"
        reasons = [machine.problem] if machine.problem else list(machine.login.problems)
        listed = "" if machine.listed else ", not in fleet's list"
        found.append(f"{machine.host}: {state}{listed}{''.join(f'; {reason}' for reason in reasons)}")
    refused = problems(secured, APPLY, open_dirs)
    if refused:
        return [*found, "", "--apply would be refused:", *(f"  {problem}" for problem in refused)]
    machines = to_do(secured, APPLY)
    if not machines and secured.v2 and secured.v3 is not False:
        return [*found, "", "Nothing to do. To revert, run `captain secure --undo`."]
    return [*found, "", *_plan(secured, machines, open_dirs)]


def _format_rights(secured: Secured) -> str:
    if not secured.v2:
        return "Every client of etcd, so every container, can write all keys, and run anything as root."
    if secured.guest is None:
        return "Access rights unknown: this connection has only the rights of a container."
    kinds = {"read": "read", "write": "write"}
    rights = "; ".join(f"{verb} {', '.join(secured.guest.get(kind, ())) or 'nothing'}" for kind, verb in kinds.items())
    return f"Containers {rights}. root writes everything, fleet writes /_coreos.com/*."


def _plan(secured: Secured, machines: Sequence[SecuredMachine], open_dirs: Collection[str]) -> list[str]:
    found = ["Nothing was changed. --apply does the following:"]
    if machines:
        found += ["", "KEEP_MACHINE is", _indented(KEEP_MACHINE), "PREPARE is", _indented(PREPARE)]
        found += ["On one machine at a time, with the passwords of fleet and root as the command's input:"]
        found += [f"  {_shown(machine)}" for machine in machines]
        found += ["  ... then continue when the machine is back in fleet's list and its units still run.", ""]
    found += [
        "Then, in etcd: PUT /v2/auth/roles/fleet, /v2/auth/users/root, /v2/auth/users/fleet, /v2/auth/roles/guest; "
        "POST /v3/auth/role/add, user/add, user/grant, user/changepw, enable; PUT /v2/auth/enable. If fleetd's "
        "heartbeats then stop on any machine, authentication is turned off again.",
        "",
        "Cost: etcd checks a password at each request, with 60 to 80 ms of CPU: at rest about 20 % of a core for each "
        "machine of the cluster. fleetd restarts, its units do not. Every other client becomes a guest.",
    ]
    kept = (*open_dirs, *dirs_open_to(secured.guest or {}))
    lost = [one for one in secured.directories if not any(f"{one}/".startswith(f"{open_}/") for open_ in kept)]
    if lost:
        options = " ".join(f"--open {one}" for one in lost)
        found.append(f"Clients lose access to {', '.join(lost)}. To keep it, add {options}.")
    return found


def _closed(open_dirs: Collection[str]) -> list[str]:
    return [one for one in open_dirs if not is_open_dir(one)]


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
