"""Three real members of etcd become five, as on AWS: each is listed first, and then started by others."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fleetcaptain.members.joining import list_member
from tests.local.etcd.etcd_members import running_members, three_and_more
from tests.programs import program


def test_three_members_become_five(tmp_path: Path) -> None:
    """Writes go through all the time, and five survive the loss of two."""
    all_ = three_and_more(5)
    with running_members(tmp_path, program("etcd"), all_[:3]) as etcd:
        assert etcd.write(all_[0], "before", "1")
        for count in (4, 5):
            so_far = all_[:count]
            list_member(
                so_far,
                partial(etcd.seen, so_far),
                lambda member: etcd.api(all_[0]).add(etcd.peer_url(member)),
                lambda _: None,
                step_sec=30,
            )
            assert etcd.write(all_[0], f"while-{count}", "1")
            etcd.start(so_far[-1], so_far, {"initial-cluster-state": "existing"})
            etcd.wait(so_far[-1:])
        for member in all_[:2]:
            etcd.processes[member.name].kill()
        etcd.wait(all_[2:])
        assert etcd.ask(all_[4], "GET", "/v2/keys/before", "")[0] == 200
