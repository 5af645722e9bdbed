"""docs/porting.md: each shape of a fleet unit is a Fleetfile whose unit does what the old one did."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleetfile import load
from fleetcaptain.units.render import render_app
from fleetcaptain.units.render_task import render_tasks
from tests.fleetfiles.porting import SHAPES

# Heading -> what the units of its services say; all of it, each somewhere.
_SAYS = {
    "One container": (
        "-p 8080:80",
        "-e HOST=%H",
        "-e UNIT=%n",
        "Conflicts=web@*.service",
        "Ready=http 80 /",
    ),
    "Announcer sidekick": (
        "BindsTo=web@%i.service",
        "MachineOf=web@%i.service",
        "value=${COREOS_PRIVATE_IPV4}:8080",
        "ExecStopPost=-/usr/bin/curl",
    ),
    "Data volume container": ("-v shop-db-data:/var/lib/postgresql/data", "MachineMetadata=disk=ssd", "--env-file"),
    "Global logger": ("--hostname %H", "/var/run/docker.sock:/var/run/docker.sock", "MachineID=%i"),
    "One-shot migration": ("Type=oneshot", "RemainAfterExit=yes", "TimeoutStartSec=900", "rake db:migrate"),
    "Host network": ("--net=host",),
    "Timer": ("bin/backup", "OnCalendar=*-*-* *:00:00", "MachineOf=backup-task.service"),
    "Machine affinity": ("MachineMetadata=role=worker", "MachineMetadata=region=eu", "MachineMetadata=region=us"),
    "Two services on one machine": ("MachineOf=web@1.service",),
    "Linked containers": ("-p 6379", "--env-file /run/fleetcaptain/"),
    "Node name from the instance": (
        "--hostname es-%i",
        "-e node.name=es-%i",
        "-e network.publish_host=${COREOS_PRIVATE_IPV4}",
        "-v /srv/es-%i:/usr/share/elasticsearch/data",
    ),
    "A program without a container": (
        "ExecStartPre=/usr/bin/mkdir -p /var/lib/agent",
        "ExecStart=/opt/bin/agent --name %H",
    ),
    "Health check in the container": ("'curl -f http://localhost/ || exit 1'", "shop.example.com"),
    "Shell in the command": ("sh -c 'bin/migrate && exec bin/serve --port 80'",),
}


@pytest.mark.parametrize("heading", SHAPES)
def test_each_shape_becomes_units_that_say_the_same(heading: str, tmp_path: Path) -> None:
    """What the old unit said and the new one has to."""
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "Fleetfile.py").write_text(SHAPES[heading])
    app, stack = load(tmp_path), "project/stack"
    tasks = [file for files in render_tasks(app, stack).values() for file in (files.unit, files.timer) if file]
    text = "\n".join(file.text for file in (*render_app(app, stack).values(), *tasks))
    assert [said for said in _SAYS[heading] if said not in text] == []


def test_every_shape_is_checked() -> None:
    """One that is added to the page needs its line here."""
    assert _SAYS.keys() == SHAPES.keys()
