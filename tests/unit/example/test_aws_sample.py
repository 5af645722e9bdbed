"""Pulumi.aws.yaml and its Fleetfile: the first deployment on AWS has an endpoint that the world reaches."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from components.aws.settings import read
from components.aws.topology import public_services
from fleetcaptain.fleetfile import load

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "Pulumi.aws.yaml"


def settings() -> dict[str, str]:
    """The settings of the sample that are no comments, without `fleetcaptain:`."""
    return dict(re.findall(r'^  fleetcaptain:(\w+): "?([^"\n]+)"?$', SAMPLE.read_text(), re.MULTILINE))


def test_the_sample_is_valid_and_one_of_its_services_is_public() -> None:
    """On a port that each machine has free, with no more instances than machines."""
    found = settings()
    cluster = read(found.get)
    app = load(ROOT / found["project"])
    (public,) = public_services(app)
    assert (public.service, public.port) == ("app_server", 80)
    server = next(spec for spec in app.services if spec.name == public.service)
    assert server.instances <= cluster.size


def test_it_is_the_example_but_for_that_service() -> None:
    """From the same folder, so with the same images."""
    app, example = load(ROOT / settings()["project"]), load(ROOT / "examples" / "behavioral")
    assert (app.app, app.root, app.image) == (example.app, example.root, example.image)
    assert app.services[1:] == example.services[1:]
    server, other = app.services[0], example.services[0]
    same = replace(server, instances=other.instances, ports=other.ports, public=other.public)
    assert same == other
