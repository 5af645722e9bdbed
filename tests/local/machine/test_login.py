"""Docker's login on EC2: the script runs for real, with jq, against a pretended metadata service."""

from __future__ import annotations

import json
from pathlib import Path

from fleetcaptain.machine import ec2
from tests.programs import program
from tests.unit.machine.imds import METADATA, Pretended, script


def test_docker_is_logged_in_by_the_machines_role(tmp_path: Path) -> None:
    """With a signed request; the keys are on no command line."""
    program("jq")
    registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    with Pretended(tmp_path, METADATA) as machine:
        home = machine.folder / "home"
        machine.stub("getent", f'echo "$2:x:0:0::{home}/$2:/bin/sh"')
        # As install, but without the right to give files to others.
        machine.stub("install", 'for last; do :; done; case $1 in -d) mkdir -p "$last" ;; *) cp "${7}" "$last" ;; esac')
        files, _ = ec2.login(registry, "eu-west-1", f"{machine.url}/")
        done = machine.run(script(files), {"/run/login.json": "login.json"})
    assert done.returncode == 0, done.stderr
    for user in ("root", "core"):
        config = json.loads((home / user / ".docker" / "config.json").read_text())
        assert config == {"auths": {registry: {"auth": "QVdTOnB3"}}}
    (asked,) = machine.said
    assert asked["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
    assert "/eu-west-1/ecr/aws4_request" in asked["Authorization"]
    assert asked["X-Amz-Security-Token"] == "session=="
    assert asked["X-Amz-Target"].endswith(".GetAuthorizationToken")
    assert not (machine.folder / "login.json").exists()
