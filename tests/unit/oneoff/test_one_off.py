"""Which words of a unit's docker line a one-off has."""

from __future__ import annotations

from typing import Any

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleetfile.values import Expand, Port
from fleetcaptain.oneoff.one_off import OneOff, Streams, container_words, environment_of
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import text_of

_NO_STREAMS = Streams()
IMAGE = f"shop@sha256:{'1' * 64}"


def one_off(
    *command: str, streams: Streams = _NO_STREAMS, entrypoint: str | None = None, image: str = IMAGE, **keywords: Any
) -> OneOff:
    """A one-off of a service with these *keywords*."""
    file = UnitFile.parse(text_of("web", **keywords)).with_image(image)
    machine = Machine("8dac", "10.0.0.2")
    return OneOff("shop", "web", "web@2.service", file, machine, "1f2e", command, streams, entrypoint)


def options(one: OneOff) -> list[str]:
    """The options of its container, without those of every one-off."""
    words = list(container_words(one))
    every = ("--rm", "--init", "--log-driver=", "--name=", "--label=fleetcaptain.", "--env=FLEETCAPTAIN_")
    return [word for word in words[2 : words.index(IMAGE)] if not word.startswith(every)]


def test_it_is_a_container_of_its_own() -> None:
    """Removed when it ends, named after the run, with labels that are no instance's, and without a log on the
    machine."""
    words = container_words(one_off("rake", "db:seed", command=("serve",)))
    assert words[:4] == ("docker", "run", "--rm", "--init")
    assert "--name=fc.shop.web.run-1f2e" in words
    assert [word for word in words if word.startswith("--label")] == [
        "--label=fleetcaptain.app=shop",
        "--label=fleetcaptain.one-off=web",
    ]
    assert "--log-driver=none" in words
    assert words[-3:] == (IMAGE, "rake", "db:seed")


def test_it_has_the_services_environment_volumes_and_options() -> None:
    """In the order of the unit, so that the last one of two wins as there."""
    one = one_off(
        "true",
        volumes=("/srv:/srv", "data:/data"),
        env=(("A", "1 $x"), ("B", "")),
        docker_args=("--network", "back", "-m", "1g", "--env-file=/etc/shop.env", "-eC=3", "--cap-add", "NET_ADMIN"),
    )
    assert options(one) == [
        *("--volume=/srv:/srv", "--volume=data:/data", "--env=A=1 $x", "--env=B=", "--network=back", "--memory=1g"),
        *("--env-file=/etc/shop.env", "--env=C=3", "--cap-add=NET_ADMIN"),
    ]


def test_it_has_nothing_that_only_one_instance_can_have() -> None:
    """Neither ports nor names and addresses of the network, nor what decides how its output is kept."""
    given = (
        "--ip",
        "172.30.0.9",
        "--network-alias=web",
        "--mac-address",
        "02:42:00:00:00:01",
        "--log-opt",
        "max-size=1m",
    )
    one = one_off("true", ports=(Port(80, 8080), Port(53, protocol="udp")), docker_args=(*given, "-i"))
    assert options(one) == []


def test_a_service_without_an_init_has_none_in_a_one_off() -> None:
    """docker reads the last one: its image may bring its own, which has to be process 1."""
    words = container_words(one_off("true", docker_args=("--init=false",)))
    assert [word for word in words if word.startswith("--init")][-1] == "--init=false"


def test_it_finds_others_and_cannot_register_itself() -> None:
    """It knows what a lookup needs: its app, release and etcd. Without a unit, a key and a run it is no instance."""
    one = one_off("true", versions=("v1",))
    words = container_words(one)
    names = dict(word.removeprefix("--env=").split("=", 1) for word in words if word.startswith("--env=FLEETCAPTAIN_"))
    assert names == {
        "FLEETCAPTAIN_APP": "shop",
        "FLEETCAPTAIN_SERVICE": "web",
        "FLEETCAPTAIN_MACHINE": "8dac",
        "FLEETCAPTAIN_HOST": "10.0.0.2",
        "FLEETCAPTAIN_ETCD": "http://10.0.0.2:2379",
        "FLEETCAPTAIN_CONTENT": one.file.unit_hash,
        "FLEETCAPTAIN_VERSIONS": '["v1"]',
    }


@pytest.mark.parametrize(
    ("streams", "given"),
    [
        (Streams(), []),
        (Streams(stdin=True), ["--interactive"]),
        (Streams(stdin=True, terminal=True), ["--interactive", "--tty"]),
    ],
)
def test_its_streams_are_the_operators(streams: Streams, given: list[str]) -> None:
    """A terminal only where there is one: with it docker joins both outputs."""
    assert options(one_off("true", streams=streams)) == given


def test_another_entrypoint_replaces_the_services() -> None:
    """The empty one removes that of the image."""
    args = ("--entrypoint", "/app/run")
    assert options(one_off("true", docker_args=args)) == ["--entrypoint=/app/run"]
    assert options(one_off("true", docker_args=args, entrypoint="")) == ["--entrypoint="]


def test_specifiers_are_those_of_the_unit_whose_place_it_takes() -> None:
    """Variables of the machine stay open."""
    one = one_off("echo", "%i ${A}", volumes=(Expand("/srv/%i/%p:/srv"),), env=(("HOST", Expand("${HOST}-%H")),))
    assert options(one) == ["--volume=/srv/2/web:/srv", "--env=HOST=\0HOST\0-\0%H\0"]
    assert container_words(one)[-1] == "%i ${A}"


def test_the_units_environment_is_read_only_if_it_is_needed() -> None:
    """That costs a start of systemd's. The agent's file of variables belongs to the unit."""
    own: dict[str, Any] = {
        "service": (("EnvironmentFile", "-/etc/%p.env"), ("Environment", '"A=1 100%%"')),
        "before_start": ("true",),
    }
    plain = one_off("true", **own)
    passed = one_off("true", docker_args=("-e", "A"), **own)
    used = one_off("true", env=(("B", Expand("${A}")),), **own)
    assert environment_of(plain, container_words(plain)) is None
    for one in (passed, used):
        environment = environment_of(one, container_words(one))
        assert environment is not None
        assert environment.properties == (
            f"Environment=IMAGE={IMAGE}",
            "EnvironmentFile=-/etc/environment",
            "EnvironmentFile=-/etc/web.env",
            'Environment="A=1 100%%"',
        )


def test_a_service_with_lines_of_the_fleetfile_has_no_known_container() -> None:
    """The error names the reason and a way out. A ``docker run`` of the service's image is known like our own."""
    for line in ("/opt/bin/web ${IMAGE}", "/usr/bin/docker run --rm redis:7", "/usr/bin/docker start web"):
        with pytest.raises(UnitRefused, match=r"its own start= line .*name another service"):
            container_words(one_off("true", start=(line,), stop=("true",)))
    line = "/usr/bin/docker run --rm --name web.%i -p 80:80 -v /srv:/srv ${IMAGE} serve"
    assert options(one_off("true", start=(line,), stop=("true",))) == ["--volume=/srv:/srv"]
