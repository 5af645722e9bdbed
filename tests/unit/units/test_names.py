"""Unit names are made from services, and services found from unit names."""

from __future__ import annotations

import pytest

from fleetcaptain.units.names import (
    generation_names,
    global_name,
    instance_names,
    machine_names,
    service_of,
)


def test_instances_are_numbered_from_one() -> None:
    """Four instances have the numbers 1 to 4."""
    assert instance_names("app_server", 2) == ("app_server@1.service", "app_server@2.service")


def test_a_generation_carries_seven_digits_of_its_content() -> None:
    """So the old and the new generation can run side by side."""
    assert generation_names("redis", "abc1234ffff", 1) == ("redis-abc1234@1.service",)


@pytest.mark.parametrize(
    ("unit", "service"),
    [
        ("app_server@12.service", "app_server"),
        ("redis-abc1234@1.service", "redis"),
        ("my-redis-abc1234@1.service", "my-redis"),
        ("plain.service", "plain"),
        ("plain-abc1234.service", "plain-abc1234"),
        ("nightly@3.timer", "nightly"),
        ("odd@x.service", "odd"),
        ("odd@.service", "odd"),
        ("no-unit", "no-unit"),
    ],
)
def test_a_unit_name_has_its_service(unit: str, service: str) -> None:
    """A generation's digits count only before an instance."""
    assert service_of(unit) == service


def test_names_and_services_agree() -> None:
    """What was named after a service is found to be that service's."""
    for name in (*instance_names("a-b", 1), *generation_names("a-b", "0123456789", 1), global_name("a-b")):
        assert service_of(name) == "a-b"


def test_a_service_of_every_machine_has_a_unit_for_each() -> None:
    """In the order of the machines' ids, whatever order they come in."""
    assert machine_names("agent", ["b2", "a1"]) == ("agent@a1.service", "agent@b2.service")
