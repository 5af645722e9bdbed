"""The life of one stack on AWS, from its first preview to its end, told once: the tests of this folder read it.

What happens to it comes in this order because each run takes seconds, and several tests look at each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.local.aws import fleet_stand_in
from tests.local.aws.account import Account
from tests.local.aws.cloud import OLDER, REGION, Cloud
from tests.local.aws.events import Run
from tests.local.aws.project import Project
from tests.local.aws.ssh_access import SshAccess, serving

__all__ = ["ADDRESSES", "DATES", "GROUP", "PARTY", "WINDOW_DAY", "Story", "tell"]

ADDRESSES = {"m1": "10.71.0.11", "m2": "10.71.1.11", "m3": "10.71.2.11"}
"""The members' addresses: the eleventh one of each subnet."""

_HOME, _AWAY = "198.51.100.7", "192.0.2.9"
"""The addresses of who deploys: the first one until it moves."""

_WORKERS = ("10.71.0.40", "10.71.1.40")
_IN_THREE_DAYS = datetime.now(UTC) + timedelta(days=3)
WINDOW_DAY = _IN_THREE_DAYS.strftime("%a")
"""The day of the week of a window, which is not open while the scenario runs."""

PARTY = _IN_THREE_DAYS.year + 2
"""The year of a window by date."""

GROUP, DATES = "cluster-windows-america-chicago", "cluster-windows-dates"
"""The groups of machines of windows."""

_WINDOWS = f"""
    Window(
        "megaquery", at_least=6, ready_by="03:30", until="04:30", days="{WINDOW_DAY}", timezone="America/Chicago",
        machines=2,
    ),
    Window(
        "party", at_least=9, ready_by="18:00", until="02:00", dates=["{PARTY}-12-24"], timezone="America/Chicago",
        machines=3,
    ),
"""
_ALWAYS = 'Window("always", at_least=6, ready_by="00:00", until="24:00", timezone="UTC")'
_FLEETFILE = """
from fleetcaptain import BlueGreen, Fleetfile, Http, Rolling, Service, Window

fleet = Fleetfile(
    app="shop",
    image="ann/shop",
    services=[
        Service(
            "web",
            instances=3,
            ports=["8080-8089:80"],
            ready=Http("/health"),
            rollout=Rolling(min_healthy_sec=0),
            scale=[{windows}],
        ),
        Service("api", ports=["9090:80"], public=80, ready=Http("/health"), rollout=Rolling(min_healthy_sec=0)),
        Service(
            "redis",
            image="redis@sha256:34fb46c847bb9df96e5205a39d382f648a6e8dce1e014cd85b4ca6a88d88ed03",
            instances=True,
            rollout=BlueGreen(min_healthy_sec=0, keep_old_sec=0),
        ),
    ],
)
"""


@dataclass(frozen=True)
class Story:
    """The runs, in their order, and what AWS had in between.

    *refused*: a preview with all settings wrong. *planned*: the first preview, and *untouched*, the account after
    it. *made*: the first ``up``; *outputs*, *account* and *state*, the state's text, are as it left them. *again*:
    an ``up`` without a change. *corrected*: an ``up`` with machines of a window that is not open; *scaled*, the account
    after it. *held*: a preview that would replace workers while a window is open. *kept*: a destroy while etcd's
    volumes are protected. *moved*: a preview with another network. *changed*: an ``up`` with other machines, more
    of them, and ssh open, but without windows; *fixed*, the account after it. *opened*: an ``up`` from another
    address, with ssh open for that, and after a rule was removed by hand. *sick*: a preview that would replace a member
    while another one does not answer. *renewed*: an ``up`` that replaces it. *revived*: an ``up`` after all members
    were terminated; *found*, the account after it. *ended*: the destroy, and *left*, the account after it. *calls*:
    AWS's calls of all of it, as ``service:Operation``.
    """

    refused: Run
    planned: Run
    untouched: Account
    made: Run
    outputs: Mapping[str, Any]
    account: Account
    state: str
    again: Run
    corrected: Run
    scaled: Account
    held: Run
    kept: Run
    moved: Run
    changed: Run
    fixed: Account
    opened: Run
    revived: Run
    found: Account
    sick: Run
    renewed: Run
    ended: Run
    left: Account
    calls: frozenset[str]

    @property
    def updates(self) -> dict[str, Run]:
        """The updates by their names, each with its preview."""
        runs = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: run for name, run in runs.items() if isinstance(run, Run) and run.preview is not None}


def tell(folder: Path, cloud: Cloud, etcd: Path) -> Story:
    """Live through it: some two minutes."""
    app = folder / "app"
    app.mkdir()
    _declare(app, _WINDOWS)
    (app / "Dockerfile").write_text("FROM scratch\n")
    # So that other windows do not change the image.
    (app / ".dockerignore").write_text("Fleetfile.py\n")
    (folder / "machines").mkdir()
    for name in ("ann", "bob"):
        cloud.api("ec2").create_key_pair(KeyName=name)
    config = {"cluster": "aws", "project": str(app), "keyPair": "ann", "size": "4"}
    settings = {"aws:region": REGION, **{f"fleetcaptain:{key}": value for key, value in config.items()}}
    access, calls = SshAccess(cloud, _HOME), folder / "calls"
    addresses = [*ADDRESSES.values(), _WORKERS[0]]
    with fleet_stand_in.environ(folder / "machines", etcd, addresses) as environ, serving(access) as url:
        more = {"FAKE_ACCESS": url, "FAKE_AWS_CALLS": str(calls)}
        project = Project.make(folder / "project", {**cloud.environ, **environ, **more}, settings)
        return _live(project, cloud, addresses, access, calls)


def _declare(app: Path, windows: str) -> None:
    (app / "Fleetfile.py").write_text(_FLEETFILE.replace("{windows}", windows))


def _live(project: Project, cloud: Cloud, addresses: list[str], access: SshAccess, calls: Path) -> Story:
    app = project.folder.parent / "app"
    refused = project.preview(
        size="13", instanceType="t4g.medium", allowSshFrom="0.0.0.0/0", discoveryUrl="nowhere", keyPair=""
    )
    planned = project.preview()
    untouched = Account.of(cloud)
    made = project.up(planned=planned)
    assert made.code == 0, made.output
    outputs, account = project.outputs(), Account.of(cloud)
    state = project.must("stack", "export")
    again = project.up()
    (group,) = (one["AutoScalingGroupName"] for one in account.scaling if GROUP in one["AutoScalingGroupName"])
    cloud.api("autoscaling").set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=2)
    corrected = project.up()
    scaled = Account.of(cloud)
    _declare(app, _ALWAYS)
    held = project.preview(instanceType="t3.large")
    _declare(app, _WINDOWS)
    kept = project.destroy()
    moved = project.preview(network="10.72.0.0/16")
    other = {"size": "5", "instanceType": "t3.large", "amiId": OLDER, "keyPair": "bob", "protectData": "false"}
    project.configure({f"fleetcaptain:{key}": value for key, value in other.items()})
    project.configure({"fleetcaptain:allowSshFrom": "198.51.100.7/32,203.0.113.0/24"})
    _declare(app, "")
    addresses.append(_WORKERS[1])
    changed = project.up()
    fixed = Account.of(cloud)
    access.own = _AWAY
    cloud.close_ssh("203.0.113.0/24")
    project.configure({"fleetcaptain:allowSshFrom": "203.0.113.0/24,192.0.2.0/24"})
    opened = project.up()
    project.environ["FAKE_DEAD"] = project.outputs()["connection"]["ssh"][2]
    sick = project.preview(renewMember="m2")
    del project.environ["FAKE_DEAD"]
    renewed = project.up(renewMember="m2")
    cloud.terminate(ADDRESSES.values())
    revived = project.up()
    found = Account.of(cloud)
    ended = project.destroy("--skip-preview")
    return Story(
        refused=refused,
        planned=planned,
        untouched=untouched,
        made=made,
        outputs=outputs,
        account=account,
        state=state,
        again=again,
        corrected=corrected,
        scaled=scaled,
        held=held,
        kept=kept,
        moved=moved,
        changed=changed,
        fixed=fixed,
        opened=opened,
        revived=revived,
        found=found,
        sick=sick,
        renewed=renewed,
        ended=ended,
        left=Account.of(cloud),
        calls=frozenset(calls.read_text().split()),
    )
