"""``captain doctor``."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.keys import CURL, registration_key, release_key, window_event_key, window_plan_key
from fleetcaptain.doctor.flatcar_facts import FLATCAR_PROBE
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.unit.doctor.test_flatcar import MEMBER

SSH = ["--app", "shop", "--ssh", "core@10.0.0.1"]
FINE = "No problem found on 3 machines (etcd 3.5.33, fleet 1.0.0, docker 28.5.2)."


def answer(**changed: str) -> str:
    """What a machine says without a problem, but for what is *changed*."""
    date = formatdate(time.time(), usegmt=True)
    said = {"clock": str(int(time.time())), "etcd_date": date, "etcd": "3.5.33", "health": "true", "keys": "200"}
    said |= {"fleet": "1.0.0", "docker": "28.5.2", "disk": "docker /var/lib/docker 9000000 10%", **changed}
    return "".join(f"fleetcaptain: {name}={value}\n" for name, value in said.items())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that captain reaches."""
    cluster = FakeCluster({"web@1.service": text_of("web")}, run=lambda *_: answer())
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)
    return cluster


def test_all_can_be_read(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and of which app."""
    assert cluster.snapshot().ignored == ()
    assert main(["doctor", *SSH]) == 0
    assert capsys.readouterr().out.startswith(f"Every value of the app shop in etcd is valid.\n{FINE}\n")


@pytest.mark.parametrize("enabled", [False, True])
def test_an_etcd_that_everybody_writes_is_said_in_one_line(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], enabled: bool
) -> None:
    """It is no reason to fail: the app's values can be read."""
    cluster.etcd.access.enabled = enabled
    assert main(["doctor", *SSH]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    said = "etcd has no authentication: every container on the cluster can run anything as root. Run `captain secure`."
    assert lines == ([] if enabled else [said])


def put_web(cluster: FakeCluster, failing: Mapping[int, str], holding: int = 0) -> None:
    """Instances of web: number -> why its alive check fails, and further ones that it holds for."""
    for number in (*failing, *range(10, 10 + holding)):
        mark = {"draining": True, "failing": failing[number]} if number in failing else {}
        value = {"service": "web", "unit": f"web@{number}.service", "machine": "m", "host": "10.0.0.2", **mark}
        cluster.etcd.put(registration_key("shop", "web", f"web@{number}.service"), json.dumps(value))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_instances_whose_alive_checks_fail_are_named(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """With the reason, which anyone may have written. It is no error of etcd's values, and no JSON."""
    cluster.etcd.access.enabled = True
    put_web(cluster, {2: "no answer\n\x1b[31m"}, 1)
    assert main(["doctor", *SSH, *options]) == 0
    captured = capsys.readouterr()
    line = "web@2.service on 10.0.0.2 is out of discovery: its alive check fails: no answer\\n\\x1b[31m\n"
    valid = f"Every value of the app shop in etcd is valid.\n{FINE}\n"
    assert (captured.out, captured.err) == (("[]\n", line) if options else (valid + line, ""))


def test_it_says_that_none_is_restarted_when_most_fail(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once for the service, after its instances, in their order; `web@1.service` holds."""
    cluster.etcd.access.enabled = True
    put_web(cluster, {2: "a", 4: "c", 3: "b"})
    assert main(["doctor", *SSH]) == 0
    *instances, last = capsys.readouterr().out.splitlines()[2:]
    assert [line[:13] for line in instances] == ["web@2.service", "web@3.service", "web@4.service"]
    assert last == "web: 3 of 4 instances fail: something that they need may be down, so none is restarted."


def test_what_is_ignored_is_listed_with_its_key(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Registrations, releases, plans and events of windows alike, each once."""
    windows = [window_plan_key("shop", "web"), window_event_key("shop", "web", 1)]
    keys = [registration_key("shop", "web", "zz"), windows[0], release_key("shop", "v1"), windows[1]]
    for key in keys:
        cluster.store.write(key, "[1]")
    assert main(["doctor", *SSH]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in lines if line.startswith("ignored")] == [["ignored", key] for key in keys]
    assert main(["doctor", *SSH, "--json"]) == 1
    assert [entry["key"] for entry in json.loads(capsys.readouterr().out)] == keys


def test_the_command_that_removes_a_value_is_safe_to_run(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the key is: a shell takes it as one word, and etcd as this key."""
    odd = "$(touch x);'\"\x1b[31m\u202e\nforged: line <{%a%}>"
    keys = [registration_key("shop", "web", odd), release_key("shop", "a/b")]
    for key in keys:
        cluster.store.write(key, "[1]")
    cluster.etcd.access.enabled = True
    assert main(["doctor", *SSH]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0] == (
        "ignored: /fleetcaptain/shop/services/web/$(touch x);'\""
        r"\x1b[31m\u202e\nforged: line <{ %a%}>"
        ": it is not a JSON object"
    )
    assert all(line.startswith(f"  {CURL} -X DELETE ") for line in lines[3:5])
    commands = [shlex.split(line.replace(CURL, "")) for line in lines[3:5]]
    assert [words[:2] for words in commands] == [["-X", "DELETE"]] * 2
    paths = [urlsplit(words[2]).path.removeprefix("/v2/keys") for words in commands]
    assert list(map(unquote, paths)) == keys


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_findings_are_listed_with_their_cures(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """A full disk on one machine, another that does not answer, and a third that hides a control character."""
    answers = {
        "10.0.0.1": answer(disk="docker /var/lib/docker 100000 97%"),
        "10.0.0.2": None,
        "10.0.0.3": answer(docker="2\x1b[31m"),
    }
    cluster.run = lambda address, *_: answers[address]
    cluster.etcd.access.enabled = True
    assert main(["doctor", *SSH, *options]) == 1
    out = capsys.readouterr().out
    expected = [
        ("10.0.0.1", "the disk at /var/lib/docker is 97 % full, 0.1 GiB are free"),
        ("10.0.0.2", "it does not answer over SSH"),
        ("10.0.0.3", "docker does not answer"),
    ]
    if options:
        assert [(one["where"], one["what"]) for one in json.loads(out)] == expected
        assert all(one["cure"] for one in json.loads(out))
    else:
        assert out.splitlines()[1::2] == [f"{where}: {what}" for where, what in expected]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_cluster_without_quorum_is_examined_too(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """By the machines that the connection names; if none of them answers it is unreachable."""
    cluster.blind = 2
    cluster.run = lambda *_: answer(health="false")
    assert main(["doctor", *SSH, *options]) == 1
    out = capsys.readouterr().out
    found = [one["what"] for one in json.loads(out)] if options else [line[10:] for line in out.splitlines()[::2]]
    assert found[0].endswith("its etcd is not healthy: it has no quorum, or no leader")
    assert "nothing answers" in out
    cluster.run = lambda *_: None
    assert main(["doctor", *SSH, *options]) == 10


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_machines_on_aws_are_compared_with_what_their_scripts_assume(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """A line for each assumption that holds, and a finding for each that does not; only if asked for."""
    flatcar = MEMBER.replace("socat=1.8.0.3", "socat=")
    cluster.run = lambda _address, argv, *_: flatcar if argv[-1] == FLATCAR_PROBE else answer()
    cluster.etcd.access.enabled = True
    assert main(["doctor", *SSH, *options]) == 0
    capsys.readouterr()
    assert main(["doctor", *SSH, "--aws", *options]) == 1
    out = capsys.readouterr().out
    if options:
        found = [(one["where"], one["what"].partition(";")[0]) for one in json.loads(out)]
        assert found == [(f"10.0.0.{number}", "socat: unknown") for number in (1, 2, 3)]
    else:
        assert "10.0.0.1: ok: distribution: flatcar 4593.2.5\n" in out
        assert out.count(": ok: ") == 3 * 15
        assert "10.0.0.3: socat: unknown; expected: installed" in out
        assert "No problem found" not in out
