"""Secrets on a real cluster: they arrive byte for byte, and are in clear nowhere else."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fleetcaptain.machine.secrets_key import INSTALL
from fleetcaptain.release.repository import read_releases, read_secret_digests
from fleetcaptain.secrets.key_distribution import MachineKeys
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.conftest import Guests
from tests.e2e.stack import Stack
from tests.faults.machine_faults import (
    fleet_answers,
    killed,
    machine_id,
    machine_of,
    machines,
    run_on,
    until,
    without_etcd,
)
from tests.faults.running import running
from tests.faults.test_load import load

_FLEETFILE = """
from fleetcaptain import Build, Fleetfile, Http, Rolling, SecretFile, Service, Task, Tcp

fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service(
            "app_server",
            instances=2,
            ports=["8080-8089:80"],
            ready=Http("/health"),
            command="python3 -m behavioral.server",
            secrets=["HOSTILE", "LONG", "TOKEN", "token"],
            secret_files={"/run/secrets/key": SecretFile("BINARY", "0440", "1000:1001", base64=True)},
            rollout=Rolling(min_healthy_sec=1),
        ),
        Service("redis", image=Build("redis"), instances=True, ports=[6379], ready=Tcp()),
        Service("each", command="sleep 1000000", global_unit=True, stop_sec=1),
    ],
    tasks=[Task("migrate", command=["sh", "-c", "echo length ${#TOKEN}"], secrets=["TOKEN"], before=["app_server"])],
)
"""
_OTHER = """
from fleetcaptain import Fleetfile, Rolling, Service

fleet = Fleetfile(
    app="probe",
    services=[Service("probe", start="/bin/sleep infinity", secrets=["TOKEN"], rollout=Rolling(min_healthy_sec=1))],
)
"""
_BINARY = bytes(range(256))
_HOSTILE = " '\"$HOME `id` $(id) %n %% \\ \\n\té\n# a line\n\n[Service]\nend\\"
_VALUES = {
    "HOSTILE": _HOSTILE,
    "LONG": "x" * 65536,
    "TOKEN": "grepme-first-5ad1",
    "token": "grepme-lower-77f0",
    "BINARY": base64.b64encode(_BINARY).decode(),
}
# Where the value may be: in the unit's own folder, in the records of docker and containerd of a container, and in
# processes' memory.
_NOWHERE_ELSE = (
    "grep -rlsI --exclude-dir=proc --exclude-dir=sys -e '[g]repme-' /etc /run /var /tmp /root /home | "
    "grep -v -e '^/run/fleetcaptain/behavioral/secrets/' -e '^/var/lib/docker/containers/[0-9a-f]*/config.v2.json' "
    "-e '^/run/containerd/.*/moby/[0-9a-f]*/config.json'; "
    "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -e '^[g]repme-' -e '=[g]repme-'; true"
)


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Stack]:
    """The stack with a service, a task and secrets, as one commit, which no secret is in."""
    (stack.app / "Fleetfile.py").write_text(_FLEETFILE)
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for argv in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "one"], ["tag", "v1.0"]):
        subprocess.run(["git", *who, *argv], cwd=stack.app, check=True)
    stack.set("strays", "remove")
    refused = stack.fails("preview")
    assert "TOKEN, which app_server, migrate use: `pulumi config set --secret fleetcaptain:secrets.TOKEN`" in (
        refused.output
    )
    _set_secrets(stack)
    yield stack
    shutil.rmtree(stack.app / ".git")


def _set_secrets(stack: Stack) -> None:
    for name, value in _VALUES.items():
        stack.set_secret(name, value)


@pytest.fixture(autouse=True)
def _as_before(shop: Stack, _mended: None) -> None:
    """What each test begins with, also after one that failed."""
    if "HOSTILE" not in (shop.app / "Fleetfile.py").read_text():
        (shop.app / "Fleetfile.py").write_text(_FLEETFILE)
        _set_secrets(shop)
        shop.up()


@pytest.fixture(scope="module")
def outputs(shop: Stack) -> Iterator[list[str]]:
    """All that commands print."""
    shown = [shop.preview().output, shop.up().output]
    yield shown
    for machine in machines(shop).values():
        assert run_on(machine, "sh", "-c", _NOWHERE_ELSE) == ""
    shown.append(shop.must("stack", "export").output)
    shown += [node.value for node in shop.cluster().store.below("/fleetcaptain")]
    for folder in ("_texts", "_secrets", "_tasks", "_history"):
        shown += [node.value for node in shop.cluster().store.below(f"/fleetcaptain/behavioral/{folder}")]
    shown += [unit.text for unit in shop.cluster().snapshot().units.values()]
    shown.append(shop.settings.read_text())
    for name, value in _VALUES.items():
        assert not [text[:2000] for text in shown if value in text or "grepme-" in text], name


def _environment(stack: Stack, unit: str) -> dict[str, str]:
    """The variables of the first process in the container of *unit*."""
    return _variables(run_on(machine_of(stack, unit), "docker", "exec", _container(unit), "cat", "/proc/1/environ"))


def _variables(found: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in found.split("\0") if pair)


def _each_on(machine: Any) -> str:
    """The unit of the service `each` there."""
    (found,) = [name for name in run_on(machine, "ls", "/run/fleet/units").split() if "each@" in name]
    return found


def _token(stack: Stack, number: int = 1) -> str:
    return _environment(stack, f"app_server@{number}.service")["TOKEN"]


def test_every_value_arrives_and_only_there(shop: Stack, outputs: list[str]) -> None:
    """As a variable and as a file, with its mode and owner; a task has them too, and so has a one-off."""
    found = _environment(shop, "app_server@1.service")
    names = ("HOSTILE", "LONG", "TOKEN", "token")
    assert {name: found[name] for name in names} == {name: _VALUES[name] for name in names}
    machine = machine_of(shop, "app_server@1.service")
    file = 'stat -c "%a %u %g" /run/secrets/key; base64 -w0 /run/secrets/key'
    facts = run_on(machine, "docker", "exec", "fc.behavioral.app_server.1", "sh", "-c", file).split()
    assert facts == ["440", "1000", "1001", _VALUES["BINARY"]]
    assert f"length {len(_VALUES['TOKEN'])}" in "".join(outputs)
    for other in machines(shop):
        one_off = shop.captain("run", "--service", "app_server", "--machine", other, "--", "sh", "-c", "echo ${#TOKEN}")
        assert one_off.output.splitlines()[-1:] == [str(len(_VALUES["TOKEN"]))], one_off.output
        assert run_on(machines(shop)[other], "ls", "-A", "/run/fleetcaptain-one-offs") == ""
    shop.rests()
    listed = json.loads(shop.captain("secrets", "--json").output)
    assert {row["name"] for row in listed} == {*_VALUES}
    checked = shop.captain("secrets", "check")
    assert (checked.code, checked.output.count("opens secrets\n")) == (0, 3)


def test_another_value_is_rolled_under_load_and_taken_back(shop: Stack, outputs: list[str]) -> None:
    """The preview names it, no request is lost, and the first release brings its value back. A client that is killed
    once it has encrypted a value has changed no unit, and the next deployment goes on from there."""
    first = shop.outputs()["release"]
    assert first == "v1.0"
    new = "grepme-second-09c3"
    shop.set_secret("TOKEN", new)
    preview = shop.preview().output
    assert "new value of TOKEN" in preview
    assert re.search(r"SecretDigest|TOKEN *: \"[0-9a-f]{32}\" => \"[0-9a-f]{32}\"", preview), preview
    with load(shop) as (answered, lost):
        outputs += [preview, shop.up().output]
    assert (lost, len(answered) > 50) == ([], True)
    assert [_token(shop, number) for number in (1, 2)] == [new] * 2
    assert re.fullmatch(r"v1\.0-[0-9a-f]{7}", shop.outputs()["release"])
    outputs.append(shop.must("up", "--yes", "--skip-preview", "-c", f"fleetcaptain:rollbackTo={first}").output)
    assert _token(shop) == _VALUES["TOKEN"]
    shop.must("config", "rm", "fleetcaptain:rollbackTo")
    third = "grepme-third-41d8"
    shop.set_secret("TOKEN", third)
    before = shop.unit_hashes()
    encrypted = _encrypted(shop)
    with running(shop) as cut_off:
        cut_off.until(r"Secrets .*created")
        cut_off.kill("pulumi")
        outputs.append(cut_off.end().output)
    shop.free()
    assert (shop.unit_hashes(), _token(shop)) == (before, _VALUES["TOKEN"])
    assert len(_encrypted(shop) - encrypted) == 1
    outputs.append(shop.up().output)
    assert [_token(shop, number) for number in (1, 2)] == [third] * 2
    releases = read_releases(shop.cluster().store, "behavioral")
    texts = [UnitFile.parse(text) for text in releases.texts.values()]
    named = {digest for file in texts for digest in file.secrets.values()}
    # What tasks need is in no release.
    assert named <= releases.secrets == _encrypted(shop)
    assert len(releases.secrets) == len(_VALUES) + 2


def test_machines_that_take_over_or_come_later_open_them(shop: Stack, outputs: list[str]) -> None:
    """Without the operator's computer; one with another key is named, and says so in one line."""
    token = _token(shop)
    machine = machine_of(shop, "app_server@1.service")
    dead = machine_id(machine)

    def took_over() -> bool:
        entry = shop.cluster().snapshot().registrations.get("app_server@1.service")
        return entry is not None and entry.machine not in ("", dead)

    with killed(machine):
        until(took_over, "another machine has the unit")
    assert (_token(shop), took_over()) == (token, True)
    shop.set("size", "4")
    shop.edit("Fleetfile.py", {"global_unit=True": 'global_unit=True, secrets=["TOKEN"]'})
    outputs.append(shop.up().output)
    each = _each_on(machines(shop)["m4"])
    assert _environment(shop, each)["TOKEN"] == token
    _give_other_key(machines(shop)["m4"])
    checked = shop.captain("secrets", "check")
    assert (checked.code, checked.output.count("opens secrets\n")) == (1, 3)
    assert "cannot open secrets: it has another key than most" in checked.output
    run_on(machines(shop)["m4"], "sh", "-c", f"systemctl restart '{each}' || true")
    journal = run_on(machines(shop)["m4"], "journalctl", "--output=cat", "--unit", each)
    line = f"Could not open the secret TOKEN of {each}: it is encrypted for another key than this machine has"
    assert line in journal


@pytest.mark.usefixtures("outputs")
def test_a_unit_starts_by_itself_once_etcd_is_back(shop: Stack) -> None:
    """Meanwhile its container has the secrets of the machine's own encrypted copy; without one it waits."""
    machine, token = machines(shop)["m1"], _token(shop)
    each = _each_on(machine)

    def container() -> str:
        code, found = machine.exec_run(["docker", "inspect", "--format", "{{.Id}}", _container(each)])
        return found.decode().strip() if code == 0 else ""

    def has_token() -> bool:
        code, found = machine.exec_run(["docker", "exec", _container(each), "cat", "/proc/1/environ"])
        return code == 0 and _variables(found.decode())["TOKEN"] == token

    before = container()
    with without_etcd(shop, ("m1",)):
        run_on(machine, "systemctl", "restart", "--no-block", each)
        until(lambda: container() not in ("", before) and has_token(), "it runs with the machine's copy")
        run_on(machine, "rm", "-rf", "/var/lib/fleetcaptain/behavioral/secrets")
        run_on(machine, "systemctl", "restart", "--no-block", each)
        until(lambda: _state(machine, each) == "activating" and not container(), "it starts again")
        time.sleep(2)
        assert (_state(machine, each), container()) == ("activating", "")
    until(lambda: _state(machine, each) == "active" and has_token(), "it runs with what etcd has")
    until(lambda: fleet_answers(machine), "fleetd works again")


def test_an_existing_cluster_gets_a_key_and_two_apps_have_their_own(
    shop: Stack, outputs: list[str], guests: Guests
) -> None:
    """Without a key nothing is deployed. Another app with a secret of the same name sees its own only, also in etcd."""
    guest = guests("other", _OTHER)
    guest.set_secret("TOKEN", _token(shop))
    before = run_on(machines(shop)["m1"], "sh", "-c", "cat /etc/fleetcaptain/secrets.key /etc/fleetcaptain/secrets.crt")
    for machine in machines(shop).values():
        run_on(machine, "sh", "-c", "rm -f /etc/fleetcaptain/secrets.*")
    try:
        assert "no machine has the key for secrets: run `captain machine-key`" in guest.fails("preview").error
        MachineKeys(shop.cluster("fleetcaptain")).distribute()
        outputs.append(guest.up().output)
        unit = "probe@1.service"
        main = f"cat /proc/$(systemctl show -P MainPID {unit})/environ"
        machine = machine_of(shop, unit)
        assert _variables(run_on(machine, "sh", "-c", main))["TOKEN"] == _token(shop)
        found = run_on(machine, "sh", "-c", "stat -c '%a %u' /run/fleetcaptain/*/secrets/")
        assert {*found.splitlines()} == {"700 0"}
        listed = json.loads(guest.captain("secrets", "--json").output)
        assert [(row["name"], row["services"]) for row in listed] == [("TOKEN", ["probe"])]
        assert len(_encrypted(shop, "probe")) == 1
        assert not _encrypted(shop, "probe") & _encrypted(shop)
        run_on(machines(shop)["m2"], "sh", "-c", "rm -f /etc/fleetcaptain/secrets.*")
        given = guest.captain("machine-key").output
        assert (given.count("giving "), given.count("has the key;")) == (1, len(machines(shop))), given
        assert guest.captain("secrets", "check").code == 0
    finally:
        for machine in machines(shop).values():
            run_on(machine, "sh", "-c", f"cat >/tmp/pem <<'END'\n{before}\nEND\n")
            run_on(machine, "sh", "-c", f"({INSTALL}) </tmp/pem; rm -f /tmp/pem /etc/fleetcaptain/secrets.*.old")


def _encrypted(stack: Stack, app: str = "behavioral") -> frozenset[str]:
    """The digests of the secrets that etcd has."""
    return read_secret_digests(stack.cluster(app).store, app)


def _state(machine: Any, unit: str) -> str:
    """What systemd says of *unit*."""
    return run_on(machine, "sh", "-c", f"systemctl is-active '{unit}' || true").strip()


def _container(unit: str) -> str:
    return f"fc.behavioral.{unit.partition('.')[0].replace('@', '.')}"


def _give_other_key(machine: Any) -> None:
    pem = run_on(
        machine,
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=other", "-keyout", "/dev/stdout", "-out", "/dev/stdout"),
    )
    run_on(machine, "sh", "-c", f"cat >/tmp/pem <<'END'\n{pem}\nEND\n")
    run_on(machine, "sh", "-c", f"({INSTALL}) </tmp/pem; rm -f /etc/fleetcaptain/secrets.*.old /tmp/pem")
    run_on(machine, "sh", "-c", "rm -rf /var/lib/fleetcaptain/behavioral/secrets")
