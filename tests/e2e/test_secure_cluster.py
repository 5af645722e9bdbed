"""A cluster without certificates that `captain secure` closes, and opens again, under an app that runs on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from fleetcaptain.fleet.ssh import PASSWORD_FILE
from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.securing.machine_login import FLEET_FILE
from tests.e2e.stack import Stack, stack_name
from tests.faults.machine_faults import machines, until

_FLEETFILE = """\
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(
    app="probe",
    services=[Service("probe", start="/bin/sleep infinity", instances=2)],
)
"""
_UNITS = ("probe@1.service", "probe@2.service")
_KEYS = "http://127.0.0.1:2379/v2/keys"


@pytest.fixture(scope="module")
def open_stack(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two machines whose etcd knows no one, and an app on them that needs no image."""
    home = tmp_path_factory.mktemp("secure")
    (home / "app").mkdir()
    (home / "app" / "Fleetfile.py").write_text(_FLEETFILE)
    stack = Stack(stack_name("e2e-secure"), home / "app", home / "pulumi", {"size": "2", "tls": "false"})
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


def _guest(stack: Stack, path: str, *argv: str) -> str:
    """The status of a request as a container makes it."""
    machine = stack.containers()["m2"]
    options = ("--silent", "--output", "/dev/null", "--max-time", "5", "--write-out", "%{http_code}")
    return exec_in(machine, "curl", *options, *argv, f"http://127.0.0.1:2379{path}")[1]


def _writes(stack: Stack, key: str) -> str:
    return _guest(stack, f"/v2/keys{key}", "-X", "PUT", "-d", "value=1")


def _active_since(stack: Stack) -> dict[str, str]:
    """When systemd started each instance, wherever it is. While it reloads its units it answers no one."""
    found: dict[str, str] = {}

    def all_found() -> bool:
        found.clear()  # what was seen before may have ended since
        for name, machine in machines(stack).items():
            for unit in _UNITS:
                _, said = exec_in(machine, "systemctl", "show", "-p", "ActiveState,ActiveEnterTimestampMonotonic", unit)
                values = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
                if values.get("ActiveState") == "active":
                    found[unit] = f"{name} {values['ActiveEnterTimestampMonotonic']}"
        return set(found) == set(_UNITS)

    until(all_found, "each instance is active somewhere")
    return found


def _does(stack: Stack, *argv: str) -> str:
    result = stack.captain("secure", *argv)
    assert result.code == 0, result.output
    return result.output


def test_a_cluster_is_secured_used_and_opened_again(open_stack: Stack) -> None:
    """No unit restarts for it; the deployer goes on without any setting; passwords are where they belong alone."""
    stack = open_stack
    since = _active_since(stack)
    assert "captain secure" in stack.captain("doctor").output
    plan = _does(stack)
    assert "v2 API off, v3 API off" in plan
    assert plan.count("not ready") == 2
    assert _writes(stack, "/_coreos.com/probe") == "201"

    said = _does(stack, "--apply", "--yes")
    passwords = set()
    for machine in machines(stack).values():
        for path, mode in ((PASSWORD_FILE, "640 root:core"), (FLEET_FILE, "600 root:root")):
            assert exec_in(machine, "stat", "-c", "%a %U:%G", path)[1].strip() == mode
            passwords.add(exec_in(machine, "cat", path)[1].split()[-1].rpartition("=")[2])
        journal = exec_in(machine, "journalctl", "--no-pager")[1]
        shown = exec_in(machine, "systemctl", "show", "fleet.service")[1]
        assert all(password not in text for password in passwords for text in (journal, shown, said))
    assert len(passwords) == 2
    for key in ("/_coreos.com/probe", "/fleetcaptain/probe/current", "/fleetcaptain/probe/maintenance/probe", "/kept"):
        assert _writes(stack, key) == "401", key
    # an app may register itself; what is no registration would be a finding of ``captain status``
    for method, answer in (("PUT", "201"), ("DELETE", "200")):
        registration = ("/v2/keys/fleetcaptain/probe/services/probe/mine", "-X", method, "-d", "value=1")
        assert _guest(stack, *registration) == answer, method
    assert _guest(stack, "/v3/cluster/member/add", "-d", '{"peerURLs":["http://10.9.9.9:2380"]}') == "400"
    assert _active_since(stack) == since
    assert "v2 API on, v3 API on" in _does(stack)
    assert "no authentication" not in stack.captain("doctor").output
    assert stack.captain("status").code == 0
    for switch, code in (("on", 3), ("off", 0)):
        done = stack.captain("maintenance", switch, "probe")
        assert done.code == 0, done.output
        assert stack.captain("discover", "probe").code == code

    # A fleetd that is killed comes back with its password, and its units run on.
    assert exec_in(stack.containers()["m1"], "systemctl", "kill", "-s", "KILL", "fleet.service")[0] == 0
    _does(stack, "--apply", "--yes")
    assert _active_since(stack) == since

    with stack.edited("Fleetfile.py", {"/bin/sleep infinity": "/bin/sleep 100000"}):
        stack.up()
        stack.rests()
        changed = _active_since(stack)
        assert all(changed[unit] != since[unit] for unit in _UNITS)

        _does(stack, "--undo", "--yes")
        assert _active_since(stack) == changed
        assert _writes(stack, "/_coreos.com/probe") == "200"
        assert _guest(stack, "/v3/kv/put", "-d", '{"key":"YQ==","value":"YQ=="}') == "200"
        for machine in machines(stack).values():
            assert exec_in(machine, "sh", "-c", "ls /etc/fleetcaptain /etc/systemd/system/fleet.service.d")[0] != 0
            environ = "tr '\\0' '\\n' < /proc/$(pidof fleetd)/environ"
            assert "FLEET_ETCD_PASSWORD" not in exec_in(machine, "sh", "-c", environ)[1]
        stack.rests()


def _is_clean(machine: Any) -> bool:
    """Whether the machine has no file of `captain secure`, only those that it was made with."""
    return exec_in(machine, "ls", "/etc/fleetcaptain")[1].split() == ["secrets.crt", "secrets.key"]


def test_a_run_that_is_killed_is_undone(open_stack: Stack) -> None:
    """After the first machine; etcd is as open as before, and the lock of a process that is dead is none."""
    since = _active_since(open_stack)
    argv = ["captain", "secure", "--apply", "--yes", "--stack", open_stack.name]
    with subprocess.Popen(argv, cwd=open_stack.root, env=open_stack.environ, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "fleetd is back" in line:
                run.kill()
                break
    assert run.returncode == -9
    assert _writes(open_stack, "/_coreos.com/probe") in {"200", "201"}
    prepared = [exec_in(machine, "ls", FLEET_FILE)[0] == 0 for machine in machines(open_stack).values()]
    assert any(prepared)
    _does(open_stack, "--undo", "--yes")
    assert all(map(_is_clean, machines(open_stack).values()))
    assert _active_since(open_stack) == since


def test_a_machine_that_has_no_password_is_locked_out_until_it_gets_one(open_stack: Stack) -> None:
    """As one that is added to a secured cluster."""
    _does(open_stack, "--apply", "--yes")
    machine = open_stack.containers()["m2"]
    lose = f"rm -r {FLEET_FILE} {PASSWORD_FILE} /etc/systemd/system/fleet.service.d; systemctl daemon-reload"
    assert exec_in(machine, "sh", "-ec", f"{lose}; systemctl kill -s KILL fleet.service")[0] == 0
    until(lambda: "not ready, not in fleet's list" in _does(open_stack), "the machine is locked out")
    _does(open_stack, "--apply", "--yes")
    assert len(open_stack.cluster("probe").snapshot().machines) == 2
    _does(open_stack, "--undo", "--yes")


def test_a_machine_that_does_not_answer_is_said_before_anything_is_changed(open_stack: Stack) -> None:
    """It would be locked out."""
    machine = open_stack.containers()["m2"]
    assert exec_in(machine, "systemctl", "stop", "ssh.service", "ssh.socket")[0] in {0, 5}
    try:
        refused = open_stack.captain("secure", "--apply", "--yes")
        assert refused.code == 2
        assert "Nothing was changed:" in refused.output
        assert _is_clean(machine)
        assert _writes(open_stack, "/_coreos.com/probe") == "200"
    finally:
        exec_in(machine, "systemctl", "start", "ssh.service")
