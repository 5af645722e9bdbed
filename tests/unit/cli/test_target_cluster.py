"""Which cluster a command of the operator means, and what is said when that is not known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.cli.target_cluster import Site, by_environment, site
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.ssh import Endpoint
from tests.fakes.fake_cluster import FakeCluster, text_of

CONNECTION = {"ssh": ["core@10.0.0.1", "core@10.0.0.2"], "key": "/k", "known_hosts": "/h", "kind": "local"}
OUTPUTS = json.dumps({"app": "shop", "stack": "fleetcaptain/prod", "connection": CONNECTION})
WAY = Endpoint(("core@10.0.0.1", "core@10.0.0.2"), "/k", "/h", managed=True)


def test_a_stack_says_where_its_cluster_is_and_which_app_is_on_it() -> None:
    """The name of the stack goes to pulumi as it is."""
    asked: list[str | None] = []

    def outputs_of(stack: str | None) -> str:
        asked.append(stack)
        return OUTPUTS

    assert site(None, "prod", None, "", outputs_of) == Site(WAY, "shop", "fleetcaptain/prod", ClusterKind.LOCAL)
    assert site("other", None, [], "", outputs_of) == Site(
        WAY, "other", "", ClusterKind.LOCAL
    )  # another stack deployed that
    assert asked == ["prod", None]


def test_a_key_is_found_from_the_folder_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder below it, wherever it was moved. Elsewhere a relative path says nothing."""
    known = {"key": ".fleetcaptain/dev/id", "known_hosts": "/old/place/.fleetcaptain/dev/known"}
    outputs = json.dumps({"app": "shop", "connection": {**CONNECTION, **known}})
    below = tmp_path / "shop" / "web"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    with pytest.raises(ClusterUnreachable, match="relative to the folder of the Pulumi program"):
        site(None, None, None, "", lambda _stack: outputs)
    (tmp_path / "shop" / "Pulumi.yaml").touch()
    home = tmp_path / "shop" / ".fleetcaptain" / "dev"
    found = site(None, None, None, "", lambda _stack: outputs).endpoint
    assert found == Endpoint(WAY.hosts, str(home / "id"), str(home / "known"), managed=True)


def test_machines_named_on_the_line_need_no_stack() -> None:
    """Nor pulumi."""
    assert site("shop", None, ["core@10.0.0.9"], "/mine") == Site(Endpoint(("core@10.0.0.9",), "/mine"), "shop")


@pytest.mark.parametrize("outputs", ["", "{}", '{"app": "shop", "connection": null}', '{"connection": {"ssh": []}}'])
def test_a_stack_that_was_never_up_is_said_so(outputs: str) -> None:
    """With both ways out."""
    with pytest.raises(ClusterUnreachable, match=r"(?s)Deploy it first .* Run this command in the folder .* --ssh"):
        site(None, None, None, "", lambda _stack: outputs)


def test_a_cluster_that_is_not_known_exits_with_10(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without pulumi at hand too."""
    monkeypatch.setenv("PATH", "")
    assert main(["restart", "web"]) == 10
    assert "could not start pulumi" in capsys.readouterr().err


def test_a_pulumi_without_its_environment_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder alone is not enough: what pulumi needs to find the stack's state may be missing."""
    pulumi = tmp_path / "pulumi"
    pulumi.write_text("#!/bin/sh\necho 'error: PULUMI_ACCESS_TOKEN must be set for login' >&2\nexit 255\n")
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["restart", "web"]) == 10
    err = capsys.readouterr().err
    assert "`pulumi stack output` failed: PULUMI_ACCESS_TOKEN must be set for login. Nothing was changed. Run" in err
    for advice in (
        "folder of the Pulumi program",
        "--stack",
        "PULUMI_BACKEND_URL",
        "python3 -m tools env",
        "--ssh",
        "Nothing was changed",
    ):
        assert advice in err


def test_a_share_that_is_none_is_a_mistake_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is opened."""
    assert main(["restart", "web", "--ssh", "core@127.0.0.1", "--app", "shop", "--max-parallel", "some"]) == 2
    assert "must be a positive integer or a share such as 25%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("etcd", "stack", "ssh", "environ", "expected"),
    [
        (None, None, None, {}, False),
        (None, None, None, {"FLEETCAPTAIN_ETCD": "http://10.0.0.1:2379"}, True),
        (None, None, None, {"FLEETCAPTAIN_APP": "shop"}, True),
        (None, "prod", None, {"FLEETCAPTAIN_APP": "shop"}, False),
        (None, None, ["core@10.0.0.1"], {"FLEETCAPTAIN_APP": "shop"}, False),
        ("http://10.0.0.1:2379", None, None, {}, True),
    ],
)
def test_options_come_before_the_environment_and_that_before_the_selected_stack(
    etcd: str | None, stack: str | None, ssh: list[str] | None, environ: dict[str, str], expected: bool
) -> None:
    """Each command uses this rule."""
    assert by_environment(etcd, stack, ssh, environ) is expected


@pytest.mark.parametrize("command", [["discover", "web"], ["ensure-available", "web"], ["releases"]])
def test_two_ways_to_the_cluster_at_once_are_a_mistake(command: list[str]) -> None:
    """Nothing is asked."""
    assert main([*command, "--etcd", "http://127.0.0.1:1", "--stack", "prod"]) == 2


@pytest.mark.parametrize("command", ["discover", "ensure-available"])
def test_an_operator_discovers_by_the_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Outside of any container, with nothing but the stack."""
    for name in ("APP", "ETCD"):
        monkeypatch.delenv(f"FLEETCAPTAIN_{name}", raising=False)
    cluster = FakeCluster({"web@1.service": text_of("web")})
    asked: list[object] = []
    with cluster.etcd as etcd:
        endpoint = LocalEndpoint("unix:///run/fleet.sock", etcd.url)

        def found(*options: object) -> Site:
            asked.append(options)
            return Site(endpoint, "shop")

        monkeypatch.setattr("fleetcaptain.cli.target_cluster.site", found)
        assert main([command, "web", "--stack", "prod"]) == 0
    assert asked == [(None, "prod", None, "")]
    assert capsys.readouterr().out.startswith("web@1.service  10.0.0.")
