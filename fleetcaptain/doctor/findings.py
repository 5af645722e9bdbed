"""From facts to findings: what is wrong, where, and how to cure it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetcaptain.doctor.machine_facts import Disk, MachineFacts
from fleetcaptain.units.agent_calls import agent_name

__all__ = ["ClusterFacts", "Finding", "ToolFacts", "findings_of", "tool_findings"]

_CLOCK_SEC = 5
_CLOCK_OF_WINDOWS_SEC = 30
"""Machine agents compare their clocks, too: one that differs by more does not act on windows."""
_FULL_PERCENT, _FREE_GIB = 90, 1.0
_ETCD_ANSWERS = ("200", "401", "403")


@dataclass(frozen=True)
class Finding:
    """*what* is wrong, *where*, and its *cure*, each a sentence or its part."""

    where: str
    what: str
    cure: str


@dataclass(frozen=True)
class ClusterFacts:
    """*machines*: address -> its facts, None for one that does not answer. *in_fleet*: the addresses of fleet's
    machines. *agents*: address -> the program of its machine agent by its heartbeat; *program*: the deployed one, ""
    before there is one. *app*: whose agent. *silence*: why fleet and etcd tell nothing, "" if they do; all that is
    known comes from the machines then."""

    machines: Mapping[str, MachineFacts | None]
    in_fleet: frozenset[str]
    agents: Mapping[str, str]
    program: str
    app: str
    silence: str = ""

    @property
    def unit(self) -> str:
        """The unit of the machine agent."""
        return agent_name(self.app)


@dataclass(frozen=True)
class ToolFacts:
    """A program on this computer: its *name*, its *version* ("" if it is missing), the *least* version that works, and
    what *needs* it."""

    name: str
    version: str
    least: tuple[int, ...]
    needs: str


def findings_of(facts: ClusterFacts) -> list[Finding]:
    """All findings of a cluster, machine by machine. A machine that does not answer is one finding."""
    found = [finding for address in sorted(facts.machines) for finding in _of_machine(address, facts)]
    if facts.silence:
        found.append(Finding("cluster", facts.silence, "Cure the findings of the machines, then run this again."))
    known = [one for one in facts.machines.values() if one is not None]
    for name, cure in (("etcd", "Update all members"), ("fleet", "Update all machines"), ("docker", "Update them")):
        versions = {getattr(one, name): one.address for one in known if getattr(one, name)}
        if len(versions) > 1:
            shown = ", ".join(f"{version} on {address}" for version, address in sorted(versions.items()))
            found.append(Finding("cluster", f"the machines run different versions of {name}: {shown}", f"{cure}."))
    return found


def tool_findings(tools: Sequence[ToolFacts]) -> list[Finding]:
    """What is wrong with the programs of this computer."""
    found = []
    for tool in tools:
        least = ".".join(map(str, tool.least))
        cure = f"Install {tool.name} {least} or later: {tool.needs}.".replace("  ", " ")
        if not tool.version:
            found.append(Finding("this computer", f"{tool.name} is not installed, or does not start", cure))
        elif _numbers(tool.version) < tool.least:
            found.append(Finding("this computer", f"{tool.name} {tool.version} is too old", cure))
    return found


def _of_machine(address: str, facts: ClusterFacts) -> Iterator[Finding]:
    machine = facts.machines[address]
    if machine is None:
        what = "it does not answer over SSH" + (
            "" if facts.silence or address in facts.in_fleet else ", and fleet does not see it"
        )
        cure = "Check that the machine runs and that the SSH key is correct. A local machine: `make up` starts it."
        yield Finding(address, what, cure)
        return
    yield from _clock(machine)
    yield from filter(None, (_disk(facts.app, address, disk) for disk in _largest_use(machine.disks)))
    if not machine.etcd:
        yield Finding(
            address, "etcd does not answer at 127.0.0.1:2379", "On the machine: `systemctl status etcd`, then start it."
        )
    else:
        if not machine.is_healthy:
            yield Finding(
                address,
                "its etcd is not healthy: it has no quorum, or no leader",
                "Start the other members: docs/operations.md, loss of etcd's quorum.",
            )
        if machine.keys_status not in _ETCD_ANSWERS:
            yield Finding(
                address,
                f"etcd's v2 API does not answer (status {machine.keys_status or 'unknown'})",
                "Start etcd with --enable-v2; versions from 3.6 have no v2 API.",
            )
    if not machine.docker:
        yield Finding(address, "docker does not answer", "On the machine: `systemctl restart docker`.")
    if machine.lacks_init:
        yield Finding(
            address,
            "docker has no docker-init, which every container is started with (--init)",
            "Install docker with its docker-init (Debian: docker.io; others: tini under that name), or write "
            'docker_args=["--init=false"] for each service and task.',
        )
    yield from _fleet(address, machine, facts)


def _fleet(address: str, machine: MachineFacts, facts: ClusterFacts) -> Iterator[Finding]:
    if not machine.fleet:
        yield Finding(address, "fleet does not answer at /run/fleet.sock", "On the machine: `systemctl status fleet`.")
    elif facts.silence:
        return
    elif address not in facts.in_fleet:
        yield Finding(
            address,
            "fleet does not see it",
            "Wait a minute if fleetd has just started; else `journalctl -u fleet` on the machine.",
        )
    elif facts.program and address not in facts.agents:
        yield Finding(
            address,
            "the machine agent sends no heartbeat: its instances are out of discovery",
            f"On the machine: `systemctl start {facts.unit}`, then `journalctl -u {facts.unit}`.",
        )
    elif facts.program and facts.agents[address] != facts.program:
        yield Finding(
            address,
            f"the machine agent runs the program {facts.agents[address][:8]}, not {facts.program[:8]}",
            f"Wait a minute: the agent installs it. Else run `pulumi up`, or `journalctl -u {facts.unit}`.",
        )


def _clock(machine: MachineFacts) -> Iterator[Finding]:
    if abs(machine.clock_error_sec) > _CLOCK_SEC:
        direction = "ahead of" if machine.clock_error_sec > 0 else "behind"
        is_ignored = abs(machine.clock_error_sec) > _CLOCK_OF_WINDOWS_SEC
        yield Finding(
            machine.address,
            f"its clock is {abs(machine.clock_error_sec):.0f} s {direction} this computer's"
            f"{'; an agent with a wrong clock opens and closes no windows' if is_ignored else ''}",
            "On the machine: `timedatectl set-ntp true`. If all machines differ by the same, correct this computer's.",
        )


def _largest_use(disks: Sequence[Disk]) -> list[Disk]:
    """One disk for each file system: docker's and etcd's data may be on the same one."""
    return list({disk.path: disk for disk in reversed(disks)}.values())[::-1]


def _disk(app: str, address: str, disk: Disk) -> Finding | None:
    if disk.used_percent < _FULL_PERCENT and disk.free_gib >= _FREE_GIB:
        return None
    cures = {
        "docker": f"On the machine: `sudo sh /run/fleetcaptain/{app}/agent clean`, then `docker system df`.",
        "etcd": "Compact and defragment etcd, or enlarge the disk: etcd stops writing when it is full.",
    }
    what = f"the disk at {disk.path} is {disk.used_percent} % full, {disk.free_gib:.1f} GiB are free"
    return Finding(address, what, cures.get(disk.user, "Remove files, or enlarge the disk."))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
