"""A service as systemd unit text: rendered, marked with its owner, hashed as fleet does it, and checked."""

from fleetcaptain.units.beacon import beacon, beacon_name
from fleetcaptain.units.image import split_image, with_image
from fleetcaptain.units.names import generation_names, global_name, instance_names, instance_of, service_of
from fleetcaptain.units.refuse import refusals, refuse
from fleetcaptain.units.render import Mark, mark_of, render
from fleetcaptain.units.text import Option, canonical, content, parse, serialize

__all__ = [
    "Mark",
    "Option",
    "beacon",
    "beacon_name",
    "canonical",
    "content",
    "generation_names",
    "global_name",
    "instance_names",
    "instance_of",
    "mark_of",
    "parse",
    "refusals",
    "refuse",
    "render",
    "serialize",
    "service_of",
    "split_image",
    "with_image",
]
