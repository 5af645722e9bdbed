"""The windows of services in one real etcd: its answers as the machine agent's shell reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import lock_key, window_event_key, window_plan_key, window_state_key
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.units.unit_text import Option
from tests.fakes.fleet.fleet_server import FakeFleet
from tests.unit.agent.test_agent_windows import ENDS, OPENS, PLAN, READY_BY
from tests.unit.units.shell_machine import MACHINE_ID, SHELLS, PretendedMachine, registration


@pytest.mark.parametrize("shell", SHELLS)
def test_windows_open_are_ready_and_close(tmp_path: Path, etcd_url: str, shell: str) -> None:
    """Of several services, one of which has no plan that can be read. The lock is free afterwards."""
    app = f"windows-{shell}"
    machine, store = PretendedMachine(tmp_path, etcd_url, shell, app), EtcdStore(lambda: etcd_url)
    uptime = machine.own_clock()
    services = ("api", "web", "x")
    for service in services:
        store.write(window_plan_key(app, service), replace(PLAN, unit=f"{service}@%.service").to_text())
    store.write(window_plan_key(app, "x"), '{"no":"plan"}')
    with FakeFleet(socket_path=tmp_path / "fleet.sock") as fleet:

        def run(time: int) -> list[str]:
            uptime.write_text("100.00 1\n")
            machine.stub("date", f'[ "$1" = +%s ] && echo {time} || echo 2030-01-02T03:04:05+00:00')
            return machine.loop(2, between=f"echo 112.00 1 >{uptime}").stdout.splitlines()[1:]

        for service in services:
            for number in range(1, 13):
                options = (Option("Service", "ExecStart", "/bin/x"), Option("X-FleetCaptain", "App", app))
                fleet.cluster.store(f"{service}@{number}.service", options, "loaded")
                key, unit = machine.key(service, f"{service}@{number}.service"), f"{service}@{number}.service"
                store.write(key, registration({"unit": unit, "machine": "machine-b", "ports": {"80": 1}}))
        assert len(run(OPENS)) == 3
        assert len(run(OPENS + 60)) == 3
        for service in ("api", "web"):
            state = store.read(window_state_key(app, service))
            assert state is not None
            assert WindowEvent.from_text(state.value) == WindowEvent(OPENS, 4, 12, READY_BY, MACHINE_ID, OPENS + 60)
            event = store.read(window_event_key(app, service, OPENS))
            assert event is not None
            assert event.value == state.value
            assert fleet.cluster.units[f"{service}@12.service"].desired == "launched"
        assert len(run(ENDS)) == 3
        assert {unit.desired for unit in fleet.cluster.units.values()} == {"loaded"}
        assert [store.read(lock_key(app, service)) for service in services] == [None] * 3
