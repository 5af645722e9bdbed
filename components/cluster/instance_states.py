"""What EC2 knows of the members of a cluster: which of them run. Deciding is pure; `members_in` takes EC2's answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetcaptain.members.member import quorum

__all__ = ["MemberInstance", "members_in", "missing_quorum"]

_MEMBER = re.compile(r"-(m\d+)")
_RUNNING = "running"


@dataclass(frozen=True)
class MemberInstance:
    """The *member* ``m1``, the *id* of its instance, and the instance's *state* (EC2's word, such as ``stopped``)."""

    member: str
    id: str
    state: str


def members_in(pages: Sequence[Mapping[str, Any]], stack: str) -> tuple[MemberInstance, ...]:
    """The members of *stack* (``project/stack``) in the *pages* of ``DescribeInstances``, by their tag ``Name``. A
    terminated instance, which EC2 lists for an hour, is none."""
    found = []
    prefix = stack.replace("/", "-")
    for page in pages:
        for instance in (one for reservation in page["Reservations"] for one in reservation["Instances"]):
            name = next((tag["Value"] for tag in instance.get("Tags", ()) if tag["Key"] == "Name"), "")
            member = _MEMBER.fullmatch(name.removeprefix(prefix))
            if member and instance["State"]["Name"] != "terminated":
                found.append(MemberInstance(member[1], instance["InstanceId"], instance["State"]["Name"]))
    return tuple(sorted(found, key=lambda one: (int(one.member[1:]), one.id)))


def missing_quorum(found: Sequence[MemberInstance], members: int) -> str:
    """Why a cluster of so many *members* cannot answer, and what to do; "" if enough of them run. Pure."""
    running = {one.member for one in found if one.state == _RUNNING}
    if len(running) >= quorum(members):
        return ""
    others = [one for one in found if one.state != _RUNNING]
    lines = [f"{len(running)} of {members} members run, and etcd needs {quorum(members)}."]
    lines += [f"{one.member} ({one.id}) is {one.state}." for one in others]
    if stopped := [one.id for one in others if one.state in ("stopped", "stopping")]:
        lines.append(f"To start them, run `aws ec2 start-instances --instance-ids {' '.join(stopped)}`.")
    if len({one.member for one in found}) < members:
        lines.append("`pulumi up` makes those again that are gone, with their data.")
    return " ".join(lines)
