"""Who the caller is, from its environment."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from fleetcaptain.discovery.identity import Identity
from fleetcaptain.errors import UnknownApp
from tests.unit.discovery_app.app_container import CONTENT, KEY, MACHINE, RUN, UNIT, environment


def test_a_container_knows_all_of_itself() -> None:
    """Each variable has its place."""
    known = Identity.from_environment(environment("http://e:1"))
    told = (known.app, known.service, known.unit, known.machine, known.unit_hash, known.run, known.host, known.etcd)
    assert told == ("shop", "web", UNIT, MACHINE, CONTENT, RUN, "10.0.0.1", "http://e:1")
    assert known.key("web") == KEY
    assert known.key("admin") == KEY.replace("/web/", "/admin/")
    assert known.owns("web")
    assert not known.owns("admin")


def test_a_unit_registers_every_service_under_its_own_name() -> None:
    """Those of a service that runs on every machine have names of their own too."""
    unit = f"agent@{MACHINE}.service"
    variables = {"FLEETCAPTAIN_APP": "shop", "FLEETCAPTAIN_SERVICE": "agent", "FLEETCAPTAIN_UNIT": unit}
    known = Identity.from_environment({**variables, "FLEETCAPTAIN_KEY": "/fleetcaptain/shop/services/a/a~m"})
    assert known.key("agent") == f"/fleetcaptain/shop/services/agent/{unit}"
    assert known.key("admin") == f"/fleetcaptain/shop/services/admin/{unit}"


def test_on_the_machine_itself_the_content_is_that_of_the_units_file(tmp_path: Path) -> None:
    """A line of the unit is told no content, but can read it; etcd is on the loopback, the run is systemd's."""
    (tmp_path / UNIT).write_text("[Service]\n")
    names = ("APP", "SERVICE", "UNIT", "MACHINE", "KEY")
    told = {f"FLEETCAPTAIN_{name}": environment("")[f"FLEETCAPTAIN_{name}"] for name in names}
    known = Identity.from_environment({**told, "COREOS_PRIVATE_IPV4": "10.0.0.7", "INVOCATION_ID": "ff"}, tmp_path)
    assert known.unit_hash == hashlib.sha1(b"[Service]\n").hexdigest()  # noqa: S324 - fleet's own hash
    assert (known.host, known.etcd, known.run) == ("10.0.0.7", "http://127.0.0.1:2379", "ff")
    assert Identity.from_environment(told, tmp_path / "elsewhere").unit_hash == ""


def test_outside_of_any_unit_the_computer_is_the_unit(tmp_path: Path) -> None:
    """A person at a shell can look up, and register what runs beside the cluster."""
    known = Identity.from_environment(
        {"INVOCATION_ID": "of the shell's own unit"}, tmp_path, app="shop", etcd="http://e"
    )
    assert (known.etcd, known.caller.unit_hash, known.run) == ("http://e", "", "")
    assert known.key("db") == f"/fleetcaptain/shop/services/db/{socket.gethostname()}"
    assert not known.owns("db")


def test_without_an_app_it_says_which_variable_is_missing() -> None:
    """There is no way to guess it."""
    with pytest.raises(UnknownApp, match="FLEETCAPTAIN_APP is not set"):
        Identity.from_environment({})
