"""What a user's own lines, and a change of where a service runs, do on real machines."""

from __future__ import annotations

import urllib.request

from tests.e2e.stack import Stack

_QUEUE = 'command="python3 -m behavioral.worker QUEUE=important",'
_ON_HOST = (
    'command="python3 -m behavioral.server", docker_args=["--net", "host"], ports=[80], ready=Http("/health"), '
    'service={"Environment": "http_proxy=http://127.0.0.1:9 all_proxy=http://127.0.0.1:9"},'
)
_WITH_FILE = f'{_QUEUE} service={{"EnvironmentFile": "-/etc/e2e.env"}},'


def _answers(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/health", timeout=5) as response:  # noqa: S310  an address of the stack
        return int(response.status) == 200


def test_a_service_in_the_machines_network_moves_to_every_machine(stack: Stack) -> None:
    """It registers and answers at the machine's port, whatever proxy its variables name, on the machine with this short
    id. The unit that has the port goes before the one that takes it, and again on the way back."""
    machine = sorted(stack.cluster().snapshot().machines)[0]
    apart = 'instances=2, conflicts=["important_queue"],'
    for where, count in ((f'machine_id="{machine[:8]}",', 1), ("global_unit=True,", 3), (apart, 2)):
        with stack.edited("Fleetfile.py", {_QUEUE: f"{_ON_HOST} {where}"}):
            stack.up()
            urls = stack.outputs()["endpoints"]["important_queue"]
            assert len(urls) == count
            assert all(url.endswith(":80") and _answers(url) for url in urls)
            stack.rests()


def test_no_file_of_variables_makes_another_image_run(stack: Stack) -> None:
    """The deployment fails, and says which files to look for."""
    for name, container in stack.containers().items():
        if name != "registry":
            assert container.exec_run(["sh", "-c", "echo IMAGE=redis:7 > /etc/e2e.env"])[0] == 0
    with stack.edited("Fleetfile.py", {_QUEUE: _WITH_FILE}):
        assert "remove it from /etc/environment and from the files of EnvironmentFile=" in stack.fails().output
    stack.up()


def test_an_option_that_breaks_a_unit_never_reaches_the_cluster(stack: Stack) -> None:
    """All of them are in one report, each with what to write instead; nothing is touched."""
    options = 'docker_args=["-d", "--name=x"], service={"User": "core"}, x_fleet={"Global": True},'
    with stack.edited("Fleetfile.py", {_QUEUE: f"{_QUEUE} {options}"}):
        output = stack.fails("preview").output
    for advice in ("--detach: ", "--name: ", 'docker_args=["--user", ...]', "write global_unit=True"):
        assert advice in output
    stack.rests()
