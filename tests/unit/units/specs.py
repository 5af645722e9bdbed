"""Services that the tests render."""

from __future__ import annotations

from fleetcaptain.fleetfile.values import BlueGreen, Build, Command, Http, Port, ServiceSpec, Tcp
from fleetcaptain.units.mark import Mark

__all__ = ["MARK", "SPECS", "mark"]

_IMAGE = Build()
SPECS = {
    "app_server": ServiceSpec(
        "app_server",
        "My App Service",
        _IMAGE,
        instances=4,
        ports=(Port(80, 80),),
        volumes=("/mount/data:/mount/data",),
        ready=Http("/health"),
        restart_sec=100,
        conflicts=("app_server@*.service",),
    ),
    "important_queue": ServiceSpec(
        "important_queue", "important_queue", _IMAGE, command=("bundle", "exec", "resque", "QUEUE=important")
    ),
    "redis": ServiceSpec(
        "redis",
        "redis",
        "redis:7",
        ports=(Port(6379),),
        ready=Tcp(),
        rollout=BlueGreen(),
        conflicts=("redis-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]@*.service", "app_server@*.service"),
        versions=("v1.0", "v1.1"),
    ),
    "agent": ServiceSpec(
        "agent",
        "On every machine",
        "agent:1",
        ready=Command("test -S '/run/agent sock'"),
        global_unit=True,
        docker_args=("--net=host", "--label", "role=log agent"),
        env=(("PRICE", "100% of $5"), ("QUOTE", 'it\'s "so"')),
        machine_metadata=("disk=ssd", "region=eu"),
    ),
    "own_lines": ServiceSpec(
        "own_lines",
        "Own lines around docker's",
        _IMAGE,
        ports=(Port(8080, 8000, 8010, address="10.0.0.5"), Port(53, 53, protocol="udp")),
        before_start=("-/usr/bin/docker pull ${IMAGE}",),
        after_start=("/usr/bin/logger started %n",),
        before_stop=("/usr/bin/logger stopping %n",),
        after_stop=(),
        reload=("/usr/bin/docker kill -s HUP fc.behavioral.%p.%i",),
        machine_of=("redis", "other@2.service"),
    ),
    "no_docker": ServiceSpec(
        "no_docker",
        "No docker at all",
        "",
        start=("/usr/bin/socat TCP-LISTEN:7000,fork EXEC:/bin/cat",),
        ports=(Port(7000),),
        ready=Http("/", port=7000),
        after=("redis", "network-online.target"),
        requires=("redis",),
        machine_id="8dacb04b6a4b4be4a1b3b0ef42a0d8a0",
    ),
    "options": ServiceSpec(
        "options",
        "Any option by its own name",
        _IMAGE,
        after=("redis", "network-online.target"),
        unit=(("Documentation", "https://example.org/%n"), ("Description", "Replaced")),
        service=(("Restart", "on-failure"), ("LimitNOFILE", "65536"), ("Nice", "5")),
        x_fleet=(("Replaces", "old@*.service"),),
    ),
}


def mark(service: str) -> Mark:
    """The mark of a service of the example app."""
    return Mark("behavioral", "behavioral/dev", service)


MARK = mark("app_server")
