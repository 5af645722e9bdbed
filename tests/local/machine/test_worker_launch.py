"""The begin of a machine of an Auto Scaling group: its script runs for real, with jq, against pretended services."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

from fleetcaptain.machine import ec2
from tests.programs import program
from tests.unit.machine.imds import METADATA, Pretended, script

_ID = "0123456789abcdef0123456789abcdef"
_PLACES = {
    "/run/fleet.sock": "fleet.sock",
    "/etc/machine-id": "machine-id",
    "/var/lib/fleetcaptain": "lib",
}
_OTHER = json.dumps({"machines": [{"id": f"{_ID}0"}]})
_MINE = json.dumps({"machines": [{"id": "other"}, {"id": _ID}]})


@contextmanager
def fleet(folder: Path, *answers: str) -> Iterator[list[str]]:
    """fleet's API, which gives one of *answers* after the other; the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer = answers[min(len(asked), len(answers)) - 1]
            self.send_response(200 if answer else 503)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.ThreadingUnixStreamServer(str(folder / "fleet.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield asked
        finally:
            server.shutdown()


def launch(machine: Pretended) -> None:
    """Run the script on *machine*, to its end."""
    program("jq")
    (machine.folder / "machine-id").write_text(f"{_ID}\n")
    machine.stub("sleep")
    text = script(ec2.drain("eu-west-1", machine.url)[0])
    done = machine.run(f"set -- {ec2.LAUNCH_HOOK}\n{text}", _PLACES)
    assert done.returncode == 0, done.stderr


def test_the_group_counts_a_machine_when_fleet_has_it(tmp_path: Path) -> None:
    """Not while fleet does not answer, and not for a machine with a longer id. Once in the machine's life."""
    with Pretended(tmp_path, METADATA) as machine, fleet(tmp_path, "", _OTHER, _OTHER, _MINE) as asked:
        launch(machine)
        assert asked == ["/fleet/v1/machines"] * 4
        assert machine.calls == ["sleep 2"] * 3
        (body,) = machine.bodies
        assert {key: value for key, (value,) in parse_qs(body).items()} == {
            "Action": "CompleteLifecycleAction",
            "Version": "2011-01-01",
            "LifecycleActionResult": "CONTINUE",
            "LifecycleHookName": ec2.LAUNCH_HOOK,
            "InstanceId": "i-0abc",
            "AutoScalingGroupName": "cluster-workers-1a2b3c4",
        }
    assert (tmp_path / "lib" / "launched").exists()
    files, units = ec2.drain("eu-west-1")
    text = next(unit.text for unit in units if unit.name == "launched.service")
    assert "\nConditionPathExists=!/var/lib/fleetcaptain/launched\n" in text
    assert f"\nExecStart={files[0].path} {ec2.LAUNCH_HOOK}\n" in text


def test_a_group_that_does_not_wait_is_not_asked_for_ever(tmp_path: Path) -> None:
    """As one from before the hook, or whose time is over."""
    with Pretended(tmp_path, METADATA) as machine, fleet(tmp_path, _MINE):
        machine.refused = 1000
        launch(machine)
        assert len(machine.bodies) == 61


def test_an_answer_that_is_refused_is_repeated(tmp_path: Path) -> None:
    """Rights may take a while to be known everywhere."""
    with Pretended(tmp_path, METADATA) as machine, fleet(tmp_path, _MINE):
        machine.refused = 2
        launch(machine)
        assert machine.calls == ["sleep 5"] * 2
        assert len(machine.bodies) == 3
