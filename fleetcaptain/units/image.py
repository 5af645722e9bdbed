"""The image's one line in a unit's text: ``Environment=IMAGE=<ref>``, the first of [Service].

The docker lines say ``${IMAGE}``, so the rest of the text is known, and can be compared, before the image is built.
"""

from __future__ import annotations

import re

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.text import Option, parse, serialize

__all__ = ["needs_image", "split_image", "with_image"]

_PREFIX = "IMAGE="


def needs_image(text: str) -> bool:
    """Whether a line of *text* says ``${IMAGE}``: all implicit docker lines do, lines of one's own may."""
    return re.search(r"\$\{IMAGE\}|\$IMAGE\b", text) is not None


def with_image(text: str, ref: str) -> str:
    """Canonical *text* with the line that names *ref* (``name@sha256:...`` or a tag).

    Raises `UnitRefused` when there is no [Service] section or its first line already names an image.
    """
    options = parse(text)
    first = _first_of_service(options)
    if first is None:
        raise UnitRefused("The unit cannot be given an image:", ["it has no [Service] section; an image needs one"])
    if _is_image(options[first]):
        raise UnitRefused("The unit cannot be given an image:", [f"it already has one: {options[first].value}"])
    line = Option("Service", "Environment", _PREFIX + ref)
    return serialize([*options[:first], line, *options[first:]])


def split_image(text: str) -> tuple[str, str | None]:
    """*text* without its image line, and the image's reference; the canonical text and None when there is none."""
    options = parse(text)
    first = _first_of_service(options)
    if first is None or not _is_image(options[first]):
        return serialize(options), None
    return serialize([*options[:first], *options[first + 1 :]]), options[first].value.removeprefix(_PREFIX)


def _first_of_service(options: tuple[Option, ...]) -> int | None:
    return next((index for index, option in enumerate(options) if option.section == "Service"), None)


def _is_image(option: Option) -> bool:
    return option.name == "Environment" and option.value.startswith(_PREFIX)
