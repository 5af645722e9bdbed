"""etcd is restored from a copy of one volume, as docs/aws.md says: with the options that stand there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from fleetcaptain.members.member import ChangeKind, MemberChange
from fleetcaptain.members.reconcile import reconcile
from tests.local.etcd.etcd_members import running_members, three_and_more
from tests.programs import program

ROOT = Path(__file__).resolve().parents[3]
STEP_SEC = 30


def documented() -> list[dict[str, str]]:
    """The options of etcd in each drop-in of the procedure, in their order."""
    _, _, text = (ROOT / "docs" / "aws.md").read_text().partition("### Restore etcd from a snapshot\n")
    section, _, _ = text.partition("\n### ")
    blocks = [re.findall(r"ETCD_([A-Z_]+)=([^'\\\s]+)", block) for block in re.findall(r"```\n(.*?)```", section, re.S)]
    return [{name.lower().replace("_", "-"): value for name, value in block} for block in blocks if block]


def test_one_copy_brings_back_what_etcd_had(tmp_path: Path) -> None:
    """All data is lost, and one member's copy of the day before is there. What was written since then is lost; the
    others join without data, one after the other, and take the copy's place if it is lost in turn."""
    alone, joining = documented()
    assert alone == {"force-new-cluster": "true"}
    assert set(joining) == {"initial-cluster-state", "initial-cluster"}
    m1, m2, m3 = all_ = three_and_more(3)
    snapshot = tmp_path / "snapshot"
    with running_members(tmp_path, program("etcd"), all_) as etcd:
        assert etcd.write(m2, "before", "1")
        etcd.wait([m1])
        etcd.copy(m1, snapshot)
        assert etcd.write(m2, "after", "1")
        etcd.end()
        for member in all_:
            shutil.rmtree(etcd.data(member))

        shutil.copytree(snapshot, etcd.data(m1))
        etcd.start(m1, all_, alone)
        etcd.wait([m1])
        listed = etcd.api(m1).listed()
        assert listed is not None
        assert [one.name for one in listed] == ["m1"]

        def do(step: MemberChange) -> str:
            if step.verb is not ChangeKind.ADD:
                return "it starts"
            refused = etcd.api(m1).add(etcd.peer_url(step.member))
            if not refused:
                so_far = all_[: all_.index(step.member) + 1]
                etcd.start(step.member, so_far, {"initial-cluster-state": joining["initial-cluster-state"]})
            return refused

        reconcile(all_, lambda: etcd.seen(all_), do, lambda _: None, step_sec=STEP_SEC)
        etcd.wait(all_)
        for member in all_:
            assert json.loads(etcd.ask(member, "GET", "/v2/keys/before", "")[1])["node"]["value"] == "1"
            assert etcd.ask(member, "GET", "/v2/keys/after", "")[0] == 404
        etcd.processes["m1"].kill()
        etcd.wait([m2, m3])
