"""The program as the engine runs it: what the stack puts out, and how it ends when something is wrong."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleetfile.values import App
from fleetcaptain.registry_login import RegistryLogin
from fleetcaptain.units.render import render_app
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_engine import FakeEngine
from tests.unit.release.test_release_names import git

ROOT = Path(__file__).resolve().parents[3]
CONFIG = {"project": str(ROOT / "examples" / "behavioral"), "release": "v1"}


def computed(kind: str, name: str) -> Mapping[str, Any]:
    """What providers would add."""
    if kind == "LocalMachines":
        return {"subnet": "10.70.1.0/24", "registry_port": 25000}
    if kind == "Unit":
        return {"content": f"hash of {name}", "count": 1}
    return {"digest": "sha256:1", "endpoints": {"app_server": ["http://10.70.1.11:8080"]}}


def program() -> None:
    """Run it as Pulumi's language host does."""
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


@pytest.fixture(autouse=True)
def _no_machines(docker_machines: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first deployment: there is no cluster yet."""
    docker_machines.running = None
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def engine() -> FakeEngine:
    """An engine for one run."""
    return FakeEngine(computed=computed)


def test_the_example_is_deployed_on_a_local_cluster(engine: FakeEngine) -> None:
    """With the defaults; the outputs are what `captain` and a user's scripts go by."""
    outputs = engine.run(program, CONFIG).outputs
    known = {"endpoints", "changing_endpoints", "release", "machines", "etcd", "app", "stack", "connection"}
    assert set(outputs) == known
    assert (outputs["app"], outputs["release"], outputs["stack"]) == ("behavioral", "v1", "fleetcaptain/prod")
    assert outputs["endpoints"] == {"app_server": ["http://10.70.1.11:8080"]}
    assert outputs["machines"]["m1"] == "10.70.1.11"
    assert outputs["connection"]["kind"] == "local"
    services = {"app_server", "important_queue", "ongoing_queue", "redis", "behavioral-agent"}
    assert set(engine.of("Unit")) == services
    assert engine.one("Readiness", "behavioral-ready")["timeout_sec"] == 310
    assert engine.messages == []


@pytest.mark.parametrize(("config", "times"), [({}, 1), ({"rollbackTo": "v0"}, 0)])
def test_the_units_are_rendered_once(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, config: Mapping[str, str], times: int
) -> None:
    """For the release's name, the cluster and the app. A rollback does not judge the Fleetfile's units."""
    apps: list[str] = []

    def counted(app: App, stack: str) -> dict[str, UnitFile]:
        apps.append(app.app)
        return render_app(app, stack)

    monkeypatch.setattr("fleetcaptain.units.render.render_app", counted)
    if times:
        engine.run(program, CONFIG)
    else:
        engine.refusal(program, {**CONFIG, **config})
    assert apps == ["behavioral"] * times


def test_the_services_go_with_the_machines(engine: FakeEngine) -> None:
    """Not one by one; but the gate, which asks before data is lost."""
    engine.run(program, CONFIG)
    assert engine.requests["Unit", "redis"].deletedWith.endswith("::cluster")
    assert engine.requests["Readiness", "behavioral-ready"].deletedWith == ""


def test_settings_reach_the_app(engine: FakeEngine) -> None:
    """How long the gate waits, how many machines there are, and that strays are removed."""
    engine.run(program, {**CONFIG, "readyTimeoutSec": "7", "size": "5", "strays": "remove"})
    assert engine.one("Readiness", "behavioral-ready")["timeout_sec"] == 7
    assert engine.one("LocalMachines", "cluster")["size"] == 5
    assert engine.one("Strays", "behavioral-strays")["names"] == []


def test_logins_at_foreign_registries_reach_the_builds(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As secrets. Such a registry may have the image that a Dockerfile begins with."""
    monkeypatch.setattr(pulumi.runtime, "is_config_secret", lambda _key: True)
    logins = json.dumps({"ghcr.io": {"user": "acme", "password": "s3cret"}})
    engine.run(program, {**CONFIG, "registryLogins": logins})
    image = engine.one("Image", "behavioral")
    assert rpc.is_rpc_secret(image["registries"])
    found = [{"address": "ghcr.io", "username": "acme", "password": "s3cret"}]
    assert rpc.unwrap_rpc_secret(image["registries"]) == found


def test_the_login_at_the_own_registry_reaches_the_cluster(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which gives it to whatever pushes images."""
    found = []

    def choose_cluster(*arguments: Any, **_: Any) -> None:
        found.append(arguments[3])
        raise ClusterRefused("Enough is known:", [])

    monkeypatch.setattr("components.factory.choose_cluster", choose_cluster)
    monkeypatch.setattr(pulumi.runtime, "is_config_secret", lambda _key: True)
    own = {"registry": "r.example:5000", "registryLogin": json.dumps({"user": "ci", "password": "s3cret"})}
    engine.refusal(program, {**CONFIG, "cluster": "existing", **own})
    assert found == [RegistryLogin("r.example:5000", "ci", "s3cret")]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"registryLogins": '{"ghcr.io": {"user": "acme", "password": "s3cret"}}'}, "is in clear"),
        ({"strays": "keep"}, "fleetcaptain:strays must be error, warn, ignore, remove"),
        ({"strays": "remove:"}, "not 'remove:'"),
        ({"strays": "warn:a.service"}, "not 'warn:a.service'"),
        ({"adopt": "dev"}, "'dev' is neither a stack (project/stack) nor a unit (name.service)"),
        ({"project": "/nowhere"}, "Could not find a Fleetfile:"),
        ({"cluster": "gce"}, "fleetcaptain:cluster must be one of local, aws, existing, not 'gce'"),
        ({"release": "a b"}, "'a b' is not a valid release name"),
        ({"rollbackTo": "v0"}, "Cannot roll back to v0"),
        ({"size": "many"}, "size"),
    ],
)
def test_what_is_wrong_ends_the_program_with_one_error(
    engine: FakeEngine, config: Mapping[str, str], words: str
) -> None:
    """Before any service is declared, and without a traceback."""
    assert words in engine.refusal(program, {**CONFIG, **config})
    assert engine.of("Unit") == {}


@pytest.mark.parametrize("cluster", ["local", "aws", "existing"])
@pytest.mark.parametrize(
    ("fleetfile", "words"),
    [
        ("import sys\nsys.exit()", "Fleetfile.py:2: the file ended early (SystemExit)"),
        ("import os\nos._exit(0)", "Fleetfile.py:2: the file ended early (SystemExit: os._exit)"),
        ("import os\nos.execlp('true', 'true')", "Fleetfile.py:2: the file ended early (SystemExit: os.execv)"),
        ("from fleetcaptain import Fleetfile\nFleetfile(app='shop')", "Fleetfile.py:2: services: must be a list"),
    ],
)
def test_a_fleetfile_that_declares_nothing_is_an_error(
    engine: FakeEngine, tmp_path: Path, cluster: str, fleetfile: str, words: str
) -> None:
    """Whatever the cluster: a program that ends well without any resource has all of them deleted."""
    (tmp_path / "Fleetfile.py").write_text(fleetfile)
    message = engine.refusal(program, {**CONFIG, "project": str(tmp_path), "cluster": cluster})
    assert words in message
    assert "nothing was changed" in message
    assert engine.resources == {}


def test_the_image_of_the_proxy_does_not_name_a_release(engine: FakeEngine, tmp_path: Path) -> None:
    """It is FleetCaptain's, so the app's commit cannot have its files."""
    web = 'Service("web", image="web:1", ports=["8100-8109:80"], public=80)'
    (tmp_path / "Fleetfile.py").write_text(
        f"from fleetcaptain import Fleetfile, Service\nfleet = Fleetfile(app='shop', services=[{web}])\n"
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "Fleetfile.py")
    git(tmp_path, "commit", "-q", "-m", "one")
    git(tmp_path, "tag", "v7")
    config = {key: value for key, value in CONFIG.items() if key != "release"} | {"project": str(tmp_path)}
    assert engine.run(program, config).outputs["release"] == "v7"
    assert [message for _, message in engine.messages if "differ from the commit" in message] == []
    assert "shop-proxy" in engine.of("Image")


def test_a_release_is_named_before_anything_is_declared(engine: FakeEngine, tmp_path: Path) -> None:
    """So a git that fails changes nothing. Whoever goes back needs no name."""
    (tmp_path / "Fleetfile.py").write_text(
        "from fleetcaptain import Fleetfile, Service\n"
        'Fleetfile(app="behavioral", services=[Service("web", image="web:1")])\n'
    )
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    config = {key: value for key, value in CONFIG.items() if key != "release"} | {"project": str(tmp_path)}
    message = engine.refusal(program, config)
    assert "Nothing was changed. git says:\n  fatal: not a git repository: /nowhere" in message
    assert engine.resources == {}
    assert "Cannot roll back to v0" in FakeEngine(computed=computed).refusal(program, {**config, "rollbackTo": "v0"})


def test_a_rollback_may_be_asked_for_without_the_settings(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment, which goes before the settings."""
    monkeypatch.setenv("FLEETCAPTAIN_ROLLBACK_TO", "v1")
    assert "Cannot roll back to v1" in engine.refusal(program, {**CONFIG, "rollbackTo": "v0"})
    assert "FLEETCAPTAIN_ROLLBACK_TO" not in os.environ, "a deploy hook may deploy another stack"


@pytest.mark.parametrize(
    ("cluster", "state", "words"),
    [
        ("local", {"behavioral": True}, "Cannot roll back to v0"),
        ("aws", {"behavioral": True}, "Fleetfile.py:1: '(' was never closed"),
        ("local", {}, "Fleetfile.py:1: '(' was never closed"),
    ],
)
def test_a_rollback_needs_no_fleetfile_but_for_the_load_balancer(
    engine: FakeEngine, tmp_path: Path, cluster: str, state: Mapping[str, bool], words: str
) -> None:
    """The state has the app's name."""
    (tmp_path / "Fleetfile.py").write_text("Fleetfile(\n  app=")
    resources = {f"urn::{name}": {"type": "fleetcaptain:index:FleetApp", "outputs": {}} for name in state}
    engine.answers = {"pulumi:pulumi:readStackResourceOutputs": {"outputs": resources}}
    config = {**CONFIG, "project": str(tmp_path), "cluster": cluster, "rollbackTo": "v0"}
    message = engine.refusal(program, config)
    assert words in message
    assert ("`git stash`" in message) is (cluster == "aws")
    warnings = [text for level, text in engine.messages if level == "warning"]
    assert ["Correct it before the next `pulumi up`:\n  Fleetfile.py:1:" in one for one in warnings] == [True] * (
        words == "Cannot roll back to v0"
    )


_BUILT = """
from fleetcaptain import Build, Fleetfile, Service
Fleetfile(app="behavioral", services=[Service("web", image=Build(secrets=["NPM_TOKEN"]))])
"""


@pytest.fixture
def with_secret(tmp_path: Path) -> dict[str, str]:
    """The configuration of an app whose build reads a secret."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Fleetfile.py").write_text(_BUILT)
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    return {**CONFIG, "project": str(tmp_path / "app")}


def test_a_secret_without_a_value_is_refused_first(engine: FakeEngine, with_secret: Mapping[str, str]) -> None:
    """With the command that sets it. A rollback builds nothing, and needs none."""
    message = engine.refusal(program, with_secret, preview=True)
    assert (
        "NPM_TOKEN, which the build of web uses: `pulumi config set --secret fleetcaptain:secrets.NPM_TOKEN`" in message
    )
    assert engine.resources == {}
    back = FakeEngine(computed=computed).refusal(program, {**with_secret, "rollbackTo": "v0"})
    assert "Cannot roll back to v0" in back


@pytest.mark.parametrize(("encrypted", "said"), [(True, ""), (False, "NPM_TOKEN is in clear")])
def test_the_secrets_of_the_stack_reach_the_builds(
    engine: FakeEngine, with_secret: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, encrypted: bool, said: str
) -> None:
    """From its configuration, where they must be encrypted."""
    key = "fleetcaptain:secrets.NPM_TOKEN"
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({key: "hunter2"}))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps([key] if encrypted else []))
    if said:
        message = engine.refusal(program, with_secret)
        assert said in message
        assert "hunter2" not in message
    else:
        secrets = engine.run(program, with_secret).one("Image", "web")["secrets"]
        assert secrets["value"] == {"NPM_TOKEN": "hunter2"}


def test_all_mistakes_of_a_fleetfile_are_in_one_error(engine: FakeEngine, tmp_path: Path) -> None:
    """By line."""
    lines = ["from fleetcaptain import Fleetfile, Service", "", 'Fleetfile(app="Shop", services=[', "]", ")"]
    lines[3:3] = ['    Service("web", description="web", image="web:1", instances=0),']
    (tmp_path / "Fleetfile.py").write_text("\n".join(lines))
    message = engine.refusal(program, {**CONFIG, "project": str(tmp_path)})
    assert "2 errors; nothing was changed:" in message
    assert "Fleetfile.py:3" in message
    assert "Fleetfile.py:4" in message
    assert engine.resources == {}
