"""``captain check`` and ``captain render``: a Fleetfile without a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.cli.target_cluster import offer_settings
from fleetcaptain.fleetfile import load
from fleetcaptain.release.balanced_app import LEAVE_SEC, PROXY_LEAVE_SEC
from fleetcaptain.units.render import render_app

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "behavioral"
_TWO_MISTAKES = """
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(
    app="shop",
    image="acme/shop",
    services=[
        Service("web", instances=0),
        Service("queue", nonsense=1),
    ],
)
"""
_NO_PORT = """
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(app="shop", services=[Service("web", image="web:1", x_fleet={"Nonsense": "x"})])
"""
_TASK = """
from fleetcaptain import Fleetfile, Service, Task

fleet = Fleetfile(
    app="shop",
    services=[Service("web", image="web:1")],
    tasks=[Task("migrate", image="web:1", command="migrate up", before=["web"])],
)
"""
_PUBLIC = """
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(app="shop", services=[Service("web", image="web:1", ports=["8080:80"], public=80)])
"""
_MODES = """
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(
    app="shop",
    services=[
        Service("one", image="web:1"),
        Service("two", image="web:1", instances=2),
        Service("blue", image="web:1", instances=True),
        Service("every", image="web:1", global_unit=True),
    ],
)
"""


def written(folder: Path, text: str) -> str:
    """A Fleetfile with *text* in *folder*."""
    (folder / "Fleetfile.py").write_text(text)
    (folder / "Dockerfile").touch()
    return str(folder)


@pytest.mark.parametrize("path", [EXAMPLE, EXAMPLE / "Fleetfile.py"])
def test_a_valid_fleetfile_is_named_with_its_services(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder or the file."""
    assert main(["check", str(path)]) == 0
    services = "the app behavioral, 4 services: app_server, important_queue, ongoing_queue, redis"
    assert capsys.readouterr().out == f"{EXAMPLE / 'Fleetfile.py'} is valid: {services}\n"
    assert main(["check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["app"] == "behavioral"


@pytest.mark.parametrize(
    ("command", "advice"),
    [("check", "`captain check FOLDER`"), ("render", "folder with --file"), ("plan", "folder with --file")],
)
def test_without_a_fleetfile_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, advice: str
) -> None:
    """By this command's own line, which reads no setting of a stack."""
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    err = capsys.readouterr().err
    assert advice in err
    assert "fleetcaptain:project" not in err


def test_all_mistakes_are_in_one_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its line; the exit code is 2."""
    assert main(["check", written(tmp_path, _TWO_MISTAKES)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "has 2 errors; nothing was changed:" in captured.err
    assert all(f"Fleetfile.py:{line}: " in captured.err for line in (8, 9))


def test_public_ports_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The proxy has them on each machine."""
    assert main(["check", written(tmp_path, _PUBLIC.replace("8080:80", "80:80"))]) == 2
    assert "port 80 of the machines is in ports= of web" in capsys.readouterr().err


def test_what_fleet_would_ignore_is_found_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows in the unit's text only."""
    assert main(["check", written(tmp_path, _NO_PORT)]) == 2
    assert "Nonsense" in capsys.readouterr().err


def test_the_present_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a missing file is an error that says what to do."""
    monkeypatch.chdir(tmp_path)
    for command in ("check", "render"):
        assert main([command]) == 2
        assert f"{tmp_path / 'Fleetfile.py'}: does not exist" in capsys.readouterr().err


def test_a_service_is_rendered_as_it_is_deployed(capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte, with the stack in its mark."""
    assert main(["render", "app_server", "--file", str(EXAMPLE), "--stack", "shop/prod"]) == 0
    files = render_app(load(EXAMPLE), "shop/prod")
    assert capsys.readouterr().out == files["app_server"].text


def test_a_public_service_is_rendered_for_its_kind_of_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It leaves the proxies of all machines before it stops, and on AWS they leave the balancer before they stop."""
    folder = written(tmp_path, _PUBLIC)
    for options in ([], ["--cluster", "local"], ["--cluster", "aws"]):
        assert main(["render", "web", "--file", folder, *options]) == 0
        assert f"\nLeave={PROXY_LEAVE_SEC}\n" in capsys.readouterr().out
        assert main(["render", "shop-proxy", "--file", folder, *options]) == 0
        proxy = capsys.readouterr().out
        assert "\nRoute=http 80 - / web -\n" in proxy
        assert (f"\nLeave={LEAVE_SEC}\n" in proxy) is ("aws" in options)


def test_all_units_are_rendered_under_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the machine agent's."""
    folder = written(tmp_path, _MODES)
    assert main(["render", "--file", folder]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("# ")]
    expected = ["one@1", "two@1.service to two@2", "blue-<hash>@1", "every@<machine id>", "shop-agent"]
    assert headings == [f"# {name}.service" for name in expected]
    assert main(["render", "--file", folder, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(expected)


def test_tasks_are_checked_and_rendered_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a deployment does."""
    folder = written(tmp_path, _TASK)
    assert main(["check", folder]) == 0
    assert capsys.readouterr().out.endswith("the app shop, 1 service: web; 1 task: migrate\n")
    assert main(["check", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == ["migrate"]
    assert main(["render", "--file", folder]) == 0
    assert "\n# migrate-task@<run>.service\n[Unit]\n" in capsys.readouterr().out
    assert main(["render", "migrate", "--file", folder]) == 0
    assert "Task=migrate\n" in capsys.readouterr().out


def test_a_periodic_task_is_rendered_as_two_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when it alone is named."""
    folder = written(tmp_path, _TASK.replace('before=["web"]', 'every="*-*-* 03:30:00"'))
    assert main(["render", "migrate", "--file", folder]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("# ")]
    assert headings == ["# migrate-task.service", "# migrate-task.timer"]
    assert main(["render", "migrate", "--file", folder, "--json"]) == 0
    assert "OnCalendar=*-*-* 03:30:00\n" in json.loads(capsys.readouterr().out)[1]["unit"]


def test_an_unknown_service_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """That names those that there are."""
    assert main(["render", "web", "--file", str(EXAMPLE)]) == 2
    assert "'web' is not one of app_server, " in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check", str(EXAMPLE)], ["render", "redis", "--file", str(EXAMPLE)]])
def test_neither_needs_the_packages_of_a_deployment(command: list[str]) -> None:
    """An editor's hook or a pull request's check has typer only."""
    without = "import sys; sys.modules.update(dict.fromkeys(('etcd', 'requests', 'pulumi', 'docker', 'cryptography')))"
    code = f"{without}; from fleetcaptain.cli import main; sys.exit(main({command!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


_WITH_SECRETS = """
from fleetcaptain import Build, Fleetfile, Service, Task

fleet = Fleetfile(
    app="shop",
    image="acme/shop",
    services=[Service("web", image=Build(secrets=["NPM_TOKEN"]), secrets=["DB_PASSWORD"])],
    tasks=[Task("migrate", command="x", image="acme/db:1", secret_files={"/run/key": "TLS_KEY"})],
)
"""


def test_the_secrets_that_a_stack_must_set_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of services, tasks and builds."""
    folder = written(tmp_path, _WITH_SECRETS)
    assert main(["check", folder]) == 0
    assert capsys.readouterr().out.endswith("; 3 secrets: DB_PASSWORD, NPM_TOKEN, TLS_KEY\n")
    assert main(["check", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["secrets"] == ["DB_PASSWORD", "NPM_TOKEN", "TLS_KEY"]


def test_the_page_s_settings_per_stack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a stack the defaults hold, or the values that are passed; what is required is an error with its line."""
    text = (EXAMPLE.parents[1] / "docs" / "fleetfile.md").read_text().partition("\n## Settings per stack\n")[2]
    example = text.partition("```python\n")[2].partition("```")[0]
    folder = written(tmp_path, example)
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    assert load(Path(folder)).services[0].instances == 1
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"shop:instances": "4"}))
    assert load(Path(folder)).services[0].instances == 4
    monkeypatch.delenv("PULUMI_CONFIG")
    required = example.replace('get("greeting") or "hello"', 'require("greeting")')
    written(tmp_path, required)
    line = 1 + next(number for number, text in enumerate(required.splitlines()) if "require(" in text)
    assert main(["check", folder]) == 2
    assert f"Fleetfile.py:{line}: ConfigMissingError: Missing required" in capsys.readouterr().err


def test_a_plan_has_the_settings_of_its_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But no secrets. Where pulumi has none, nothing is set."""
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "pulumi").write_text(
        '#!/bin/sh\n[ "$*" = "config --json --stack prod" ] || exit 1\n'
        """echo '{"shop:instances": {"value": "4", "secret": false}, "shop:key": {"secret": true}}'\n"""
    )
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_CONFIG", "")
    monkeypatch.delenv("PULUMI_CONFIG")
    offer_settings("dev")
    assert "PULUMI_CONFIG" not in os.environ
    offer_settings("prod")
    assert json.loads(os.environ["PULUMI_CONFIG"]) == {"shop:instances": "4"}


@pytest.mark.parametrize("command", [["check"], ["render", "--file"]])
def test_a_setting_that_is_missing_is_passed_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """No stack is read, so what pulumi advises would not help; nor is the file to blame for what is no JSON."""
    folder = written(tmp_path, "import pulumi\npulumi.Config('shop').require('greeting')\n" + _PUBLIC)
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    assert main([*command, folder]) == 2
    err = capsys.readouterr().err
    assert """PULUMI_CONFIG='{"shop:greeting": "x"}' captain check""" in err
    monkeypatch.setenv("PULUMI_CONFIG", "{shop}")
    assert main([*command, folder]) == 2
    err = capsys.readouterr().err
    assert "PULUMI_CONFIG is not JSON: " in err
    assert 'write it as {"shop:instances": "4"}' in err
    assert "Fleetfile.py:" not in err
    monkeypatch.setenv("PULUMI_CONFIG", '{"shop:greeting": "x"}')
    assert main([*command, folder]) == 0
