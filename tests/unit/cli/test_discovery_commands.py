"""``captain register|unregister|discover|ensure-available``: what they print and how they exit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.discovery_app.app_container import KEY, RUN, of_the_unit

pytestmark = pytest.mark.usefixtures("environ")
REDIS = "/fleetcaptain/shop/services/redis/redis@1.service"
CAPTAIN = [str(Path(sys.executable).with_name("captain"))]


def test_discovering_prints_a_line_an_instance(etcd: FakeEtcd, capsys: pytest.CaptureFixture[str]) -> None:
    """Unit, address, and whose it is."""
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service"))
    etcd.put(REDIS.replace("@1", "@10"), of_the_unit("redis", "redis@10.service"))
    assert main(["discover", "redis"]) == 0
    assert capsys.readouterr().out == (
        "redis@1.service   10.0.0.1:80  own release\nredis@10.service  10.0.0.1:80  own release\n"
    )


def test_discovering_names_what_fails_on_standard_error(etcd: FakeEtcd, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason, which anyone may have written; programs get only what they may use."""
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service"))
    mark = {"draining": True, "failing": "no answer\n\x1b[31m"}
    etcd.put(REDIS.replace("@1", "@2"), of_the_unit("redis", "redis@2.service", **mark))
    assert main(["discover", "redis", "--json"]) == 0
    captured = capsys.readouterr()
    assert [one["unit"] for one in json.loads(captured.out)] == ["redis@1.service"]
    assert captured.err == "left out: redis@2.service: its alive check fails: no answer\\n\\x1b[31m\n"
    etcd.put(REDIS.replace("@1", "@3"), of_the_unit("redis", "redis@3.service", **mark))
    assert main(["discover", "redis"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "redis: 2 of 3 instances fail: something that they need may be down, so none is restarted."


def test_programs_get_json(etcd: FakeEtcd, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with a list; each instance with all that is known of it."""
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service", connection={"host": "h", "port": 1, "tls": True}))
    assert main(["discover", "redis", "--json"]) == 0
    (instance,) = json.loads(capsys.readouterr().out)
    assert (instance["address"], instance["own"], instance["connection"]["tls"]) == ("h:1", True, True)


@pytest.mark.parametrize("command", [["discover"], ["ensure-available"], ["ensure-available", "--timeout", "0.05"]])
def test_what_is_not_available_exits_with_3(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is on standard error; with --json an object is on standard output too."""
    assert main([*command, "redis", "--json"]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("captain: redis is not available to web")
    told = json.loads(captured.out)
    assert (told["error"], told["exit_code"]) == ("NotAvailable", 3)
    assert told["message"] in captured.err


def test_what_is_available_exits_with_0(etcd: FakeEtcd, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what discover prints."""
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service"))
    assert main(["ensure-available", "redis"]) == 0
    assert "redis@1.service  10.0.0.1:80" in capsys.readouterr().out


def test_an_etcd_that_does_not_answer_exits_with_10(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not the same as a service that is not there."""
    assert main(["ensure-available", "redis", "--etcd", "http://127.0.0.1:1"]) == 10
    assert "Could not reach etcd at http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["discover"],
        ["discover", "redis", "--nonsense"],
        ["ensure-available", "redis", "--timeout", "-1"],
        ["register", "web", "8080"],
        ["register", "admin", "port=1"],
    ],
)
def test_a_mistake_in_the_command_line_exits_with_2(words: list[str], etcd: FakeEtcd) -> None:
    """Nothing was done."""
    assert main(words) == 2
    assert etcd.values == {}


def test_an_unknown_app_exits_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of any container it has to be said."""
    monkeypatch.delenv("FLEETCAPTAIN_APP")
    assert main(["discover", "redis"]) == 2
    assert "--app" in capsys.readouterr().err
    assert main(["discover", "redis", "--app", "shop"]) == 3


def test_registering_once_leaves_the_renewal_to_the_agent(etcd: FakeEtcd) -> None:
    """The command ends; the registration lives as long as the unit does."""
    assert main(["register", "web", "port=8080", "path=/x=y", "tls=true", "--versions", "v1", "--versions", "v2"]) == 0
    value = etcd.value(KEY)
    assert (value["lease"], value["run"], value["versions"]) == ("beacon", RUN, ["v1", "v2"])
    assert value["connection"] == {"host": "10.0.0.1", "port": 8080, "path": "/x=y", "tls": True}


@pytest.mark.parametrize("words", [["register", "web", "port=1"], ["unregister", "web"]])
def test_programs_are_told_the_key(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A person is told nothing when all went well."""
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"service": "web", "key": KEY}
    assert main(words) == 0
    assert capsys.readouterr().out == ""


def test_unregistering_takes_it_out_of_discovery(etcd: FakeEtcd) -> None:
    """Until it registers again."""
    main(["register", "web", "port=8080"])
    assert main(["discover", "web"]) == 0
    assert main(["unregister", "web"]) == 0
    assert main(["discover", "web"]) == 3
    main(["register", "web", "port=8080"])
    assert main(["discover", "web"]) == 0
    assert "draining" not in etcd.value(KEY)


def test_holding_ends_with_the_registration_taken_back(etcd: FakeEtcd, environ: dict[str, str]) -> None:
    """As a command of its own: it stays until it is told to end, and exits with 0."""
    key = KEY.replace("/web/", "/admin/")
    argv = [*CAPTAIN, "register", "admin", "port=1", "--hold"]
    with subprocess.Popen(argv, env={**os.environ, **environ}) as process:
        with etcd.changed:
            assert etcd.changed.wait_for(lambda: key in etcd.entries, timeout=120)
        assert etcd.value(key)["lease"] == "app"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    assert etcd.values == {}


def test_watching_prints_each_change(etcd: FakeEtcd, environ: dict[str, str]) -> None:
    """One JSON list a line, at once when something changes."""
    argv = [*CAPTAIN, "discover", "redis", "--watch", "--json"]
    with subprocess.Popen(argv, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == []
        etcd.put(REDIS, of_the_unit("redis", "redis@1.service"))
        assert [instance["unit"] for instance in json.loads(process.stdout.readline())] == ["redis@1.service"]
        process.kill()


HOSTILE = "\x1b]52;c;cm0=\x07\x9b31m\u202e\nforged  10.0.0.9:80\ud800"


def test_what_others_registered_cannot_drive_the_terminal(etcd: FakeEtcd, capsys: pytest.CaptureFixture[str]) -> None:
    """One line an instance, with escapes that can be read; JSON escapes by itself."""
    host = HOSTILE[:-1]  # nothing is read that has a lone surrogate in it
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service", connection={"host": host, "port": 1, "b": "\x7f"}))
    assert main(["discover", "redis"]) == 0
    assert capsys.readouterr().out == (
        r"redis@1.service  \x1b]52;c;cm0=\x07\x9b31m\u202e\nforged  10.0.0.9:80:1  own release" + "\n"
    )
    assert main(["discover", "redis", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert out[:-1].isprintable()
    (instance,) = json.loads(out)
    assert (instance["host"], instance["connection"]["b"]) == (host, "\x7f")


def test_an_error_of_captain_cannot_either(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words may be another program's, or etcd's."""

    def fail(*_: object, **__: object) -> None:
        raise ClusterUnreachable(f"no answer: {HOSTILE}")

    monkeypatch.setattr(Discovery, "discover", fail)
    assert main(["discover", "redis", "--json"]) == 10
    captured = capsys.readouterr()
    assert captured.err.startswith(r"captain: no answer: \x1b]52;c;cm0=\x07\x9b31m\u202e" + "\nforged")
    assert json.loads(captured.out)["message"] == f"no answer: {HOSTILE}"


def test_what_is_ignored_cannot_either(etcd: FakeEtcd, environ: dict[str, str]) -> None:
    """Discovery logs it as a warning, which Python shows where no program has said otherwise."""
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service"))
    etcd.put(f"{REDIS}{HOSTILE[:-1]}", "note")
    done = subprocess.run(
        [*CAPTAIN, "discover", "redis"], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "redis@1.service  10.0.0.1:80  own release\n"
    (line,) = done.stderr.splitlines()
    assert r"redis@1.service\x1b]52;c;cm0=\x07\x9b31m\u202e\nforged  10.0.0.9:80: it is not valid JSON" in line


@pytest.mark.parametrize(
    "words", [["a b", "--hold"], ["../x", "--hold"], ["web", "port=NaN"], ["web", f"a={'[' * 40}{']' * 40}"]]
)
def test_what_no_lookup_could_read_is_not_registered(
    etcd: FakeEtcd, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be ignored by all, without a word to the one who registered it."""
    assert main(["register", *words]) == 2
    assert "Lookups would ignore it. Nothing was changed." in capsys.readouterr().err
    assert etcd.entries == {}
