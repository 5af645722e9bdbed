"""From what a machine says of its Flatcar and its EC2 to verdicts: one for each assumption of the machines' scripts."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.doctor.examine import examine_flatcar
from fleetcaptain.doctor.flatcar_facts import FLATCAR_PROBE, FlatcarFacts, flatcar_facts_in
from fleetcaptain.doctor.flatcar_verdicts import differences, verdicts_of
from tests.fakes.fake_cluster import FakeCluster

MEMBER = """\
Last login: Mon Jan  4
fleetcaptain: os=flatcar 4593.2.5
fleetcaptain: systemd=257
fleetcaptain: socat=1.8.0.3
fleetcaptain: socat_tls=yes
fleetcaptain: jq=jq-1.8.1
fleetcaptain: sigv4=aws-sigv4
fleetcaptain: docker=28.0.4
fleetcaptain: imds_v2=200
fleetcaptain: imds_v1=401
fleetcaptain: update_server=disabled
fleetcaptain: reboots=off
fleetcaptain: clock_synchronized=yes
fleetcaptain: volume=/dev/nvme1n1 ext4
fleetcaptain: timer=registry-login.timer active
fleetcaptain: end=yes
"""
FINE = flatcar_facts_in(MEMBER) or FlatcarFacts()


def differing(facts: FlatcarFacts) -> list[str]:
    """What differs, without the cure, which names a page."""
    found = differences(verdicts_of("10.0.0.1", facts))
    assert all(one.where == "10.0.0.1" and one.cure.startswith("docs/") for one in found)
    return [one.what for one in found]


def test_a_machine_as_it_is_assumed_differs_in_nothing() -> None:
    """And each assumption has its verdict."""
    assert differing(FINE) == []
    subjects = [one.subject for one in verdicts_of("10.0.0.1", FINE)]
    assert len(set(subjects)) == len(subjects) == 16


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (replace(FINE, os="debian 13"), "distribution: debian 13; expected: flatcar"),
        (replace(FINE, systemd="246"), "systemd: 246; expected: 247 or later"),
        (
            replace(FINE, socat=""),
            "socat: unknown; expected: installed: etcd's sockets and the load balancer's checks use it",
        ),
        (replace(FINE, socat_tls=""), "TLS of socat: unknown; expected: yes: machines reach etcd's members with it"),
        (replace(FINE, jq=""), "jq: unknown; expected: installed: the registry login and the drain use it"),
        (replace(FINE, sigv4=""), "signed requests of curl: unknown; expected: curl with --aws-sigv4"),
        (replace(FINE, docker=""), "docker: unknown; expected: 20 or later, and it answers"),
        (replace(FINE, docker="9.0"), "docker: 9.0; expected: 20 or later, and it answers"),
        (replace(FINE, imds_v2="000"), "metadata service with a token: 000; expected: 200"),
        (
            replace(FINE, imds_v1="200"),
            "metadata service without a token: 200; expected: 401: only version 2 answers",
        ),
        (replace(FINE, update_server="public"), "server of Flatcar's updater: public; expected: disabled"),
        (replace(FINE, reboots="etcd-lock"), "reboots by Flatcar's updater: etcd-lock; expected: off"),
        (replace(FINE, clock_synchronized="no"), "clock is synchronized: no; expected: yes"),
        (replace(FINE, volume="none"), "etcd's volume: none; expected: a device with ext4"),
        (replace(FINE, timers=(("drain.timer", "inactive"),)), "drain.timer: inactive; expected: active"),
        (replace(FINE, failed=("a.service", "b.service")), "failed units: a.service b.service; expected: none"),
        (replace(FINE, dev_tcp=("redis.service",)), "units that need /dev/tcp: redis.service; expected: none"),
    ],
)
def test_each_difference_is_one_finding(facts: FlatcarFacts, what: str) -> None:
    """With what was observed and what is expected."""
    assert differing(facts) == [what]


def test_a_worker_has_no_volume_of_etcd() -> None:
    """So nothing is expected of one."""
    assert differing(replace(FINE, volume="")) == []


def test_an_answer_that_breaks_off_is_none() -> None:
    """Else the machine would seem to have no failed unit. A value of another form is left out."""
    assert flatcar_facts_in(MEMBER.replace("fleetcaptain: end=yes\n", "")) is None
    facts = flatcar_facts_in(MEMBER.replace("jq-1.8.1", "jq\x1b[31m"))
    assert facts is not None
    assert (facts.jq, facts.timers) == ("", (("registry-login.timer", "active"),))


def test_all_machines_are_asked() -> None:
    """One that does not answer is none."""
    answers = {"10.0.0.1": MEMBER, "10.0.0.2": None}
    cluster = FakeCluster(run=lambda address, *_: answers[address])
    assert examine_flatcar(cluster, ["10.0.0.1", "10.0.0.2"]) == {"10.0.0.1": FINE, "10.0.0.2": None}


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_script_runs_to_its_end_on_any_machine(tmp_path: Path, shell: str) -> None:
    """One that has nothing of what it asks for, as this computer: it says so and ends."""
    for name in ("sed", "grep", "cut"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    (tmp_path / "systemctl").write_text("#!/bin/sh\ncase $* in *failed*) echo a.service loaded failed;; esac\n")
    (tmp_path / "systemctl").chmod(0o755)
    done = subprocess.run(
        [f"/bin/{shell}", "-c", FLATCAR_PROBE],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
        check=False,
        timeout=60,
    )
    facts = flatcar_facts_in(done.stdout)
    assert facts is not None, done.stdout + done.stderr
    assert (facts.socat, facts.imds_v1, facts.failed) == ("", "", ("a.service",))
