"""Pulumi.aws.yaml and its Fleetfile: the first deployment on AWS has an endpoint that the world reaches."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from components.aws.settings import read
from components.aws.topology import public_ports
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile import load
from fleetcaptain.release.balanced_app import adapted

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "Pulumi.aws.yaml"


def settings() -> dict[str, str]:
    """The settings of the sample that are no comments, without `fleetcaptain:`."""
    return dict(re.findall(r'^  fleetcaptain:(\w+): "?([^"\n]+)"?$', SAMPLE.read_text(), re.MULTILINE))


def test_the_sample_is_valid_and_one_of_its_services_is_public() -> None:
    """On the port of the web, which its proxy has on each machine."""
    found = settings()
    read(found.get)
    app = adapted(load(ROOT / found["project"]), ClusterKind.AWS)
    assert public_ports(app) == (80,)


def test_it_is_the_example_but_for_that_service() -> None:
    """From the same folder, so with the same images."""
    app, example = load(ROOT / settings()["project"]), load(ROOT / "examples" / "behavioral")
    assert (app.app, app.root, app.image) == (example.app, example.root, example.image)
    assert app.services[1:] == example.services[1:]
    server, other = app.services[0], example.services[0]
    assert replace(server, public=other.public, location=other.location) == other
