"""Whose container a unit's docker lines mean: the unit's own, and no other on the machine."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.fleetfile.docker_args import docker_options
from fleetcaptain.fleetfile.service_specs import APP_NAME
from fleetcaptain.fleetfile.values import SecretFile, ServiceSpec
from fleetcaptain.units.docker import container_name
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.names import SERVICE_NAME
from fleetcaptain.units.render import render
from tests.unit.units.specs import SPECS, mark
from tests.unit.units.systemd import command, exec_values

APPS = st.from_regex(APP_NAME, fullmatch=True)
SERVICES = st.from_regex(SERVICE_NAME, fullmatch=True)
INSTANCES = st.integers(1, 100).map(str) | st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
UNITS = st.tuples(APPS, SERVICES, INSTANCES)
# docker's own rule for names of containers.
DOCKER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
# What docker is called with that means a container. Names follow the options.
MEANT = re.compile(r"docker (?:kill|rm|stop|port|exec|inspect)(?: -t \d+| -fv| -f \S+)? (\S+)")
EXEC = ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost")


def named(app: str, prefix: str, instance: str) -> str:
    """The container's name as systemd expands it for the unit ``prefix@instance.service``."""
    (word,) = command(container_name(app), {"p": prefix, "i": instance})
    return word


def own_lines(spec: ServiceSpec) -> ServiceSpec:
    """*spec* without the lines that are its author's."""
    return replace(spec, before_start=None, after_start=None, before_stop=None, after_stop=None, reload=None)


@given(UNITS, UNITS)
def test_no_two_units_share_a_container_name(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Whatever their apps, services and instances are called."""
    assert (named(*one) == named(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a-b", "c", "1"), ("a", "b-c", "1")),
        (("a", "b", "1"), ("a-b", "1", "1")),
        (("shop", "web-1", "1"), ("shop", "web", "1-1")),
        (("shop", "web-abc1234", "1"), ("shop-web", "abc1234", "1")),
        (("shop", "web_1", "1"), ("shop", "web", "1")),
    ],
)
def test_names_that_read_alike_stay_apart(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """A dash may be anywhere in a name, so it separates nothing."""
    assert named(*one) != named(*other)


@given(UNITS)
def test_it_is_a_name_that_docker_takes_and_compose_does_not_make(unit: tuple[str, str, str]) -> None:
    """``docker ps`` shows app, service and instance; it is not the beginning of a container's id either."""
    app, service, instance = unit
    assert named(*unit) == f"fc.{app}.{service}.{instance}"
    assert DOCKER_NAME.fullmatch(named(*unit))


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.start is None])
@pytest.mark.parametrize("app", ["shop", "shop-web"])
def test_a_unit_means_no_container_but_its_own(name: str, app: str) -> None:
    """Stopped, removed: it is always the one that the unit runs. The agent's calls are held by its own tests."""
    text = render(own_lines(SPECS[name]), Mark(app, f"{app}/dev", name)).text
    specifiers = {"p": name, "i": "2", "n": f"{name}@2.service", "m": "m"}
    lines = [" ".join(command(value, specifiers)) for option in EXEC for value in exec_values(text, option)]
    found = [container for line in lines for container in MEANT.findall(line)]
    assert len(found) >= 2, "stop, rm"
    assert {*found, *re.findall(r"--name (\S+)", "\n".join(lines))} == {f"fc.{app}.{name}.2"}


def test_people_find_containers_by_app_and_service() -> None:
    """``docker ps --filter label=fleetcaptain.app=behavioral``."""
    (line,) = exec_values(render(SPECS["redis"], mark("redis")).text, "ExecStart")
    words = command(line, {"p": "redis", "i": "1", "n": "redis@1.service", "m": "m"})
    labels = [after for word, after in pairwise(words) if word == "--label"]
    assert labels == ["fleetcaptain.app=behavioral", "fleetcaptain.service=redis"]


def test_a_secret_file_that_is_missing_is_an_error() -> None:
    """With -v docker makes a folder in its place. Each is read-only, and found by its number."""
    spec = replace(SPECS["app_server"], secret_files=(("/run/a", SecretFile("A")), ("/run/b", SecretFile("B"))))
    (line,) = exec_values(render(spec, mark("app_server")).text, "ExecStart")
    words = command(line, {"p": "app_server", "i": "1", "n": "app_server@1.service"})
    mounts = [after for word, after in pairwise(words) if word == "--mount"]
    folder = "/run/fleetcaptain/behavioral/secrets/app_server@1.service"
    assert mounts == [
        f"type=bind,src={folder}/file-{number},dst=/run/{name},readonly" for number, name in ((1, "a"), (2, "b"))
    ]


@pytest.mark.parametrize(("given", "has_init"), [((), "true"), (("--init",), "true"), (("--init=false",), "false")])
def test_a_container_has_an_init_unless_its_docker_args_say_otherwise(given: tuple[str, ...], has_init: str) -> None:
    """A program that is process 1 ignores the SIGTERM that it does not handle. docker reads the last one."""
    (line,) = exec_values(render(replace(SPECS["redis"], docker_args=given), mark("redis")).text, "ExecStart")
    words = command(line, {"p": "redis", "i": "1", "n": "redis@1.service"}, {"IMAGE": "image"})
    assert dict(docker_options(words[2 : words.index("image")]))["init"] == has_init
