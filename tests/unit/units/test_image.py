"""The image is one line of the unit, and can be taken off again."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.units.image import needs_image, split_image, with_image
from fleetcaptain.units.render import render
from fleetcaptain.units.text import canonical
from tests.unit.units.specs import SPECS, mark

REF = "registry:5000/behavioral@sha256:" + "a" * 64


@pytest.mark.parametrize("name", SPECS)
def test_splitting_undoes_adding(name: str) -> None:
    """The text without its image is the one that was rendered."""
    text = render(SPECS[name], mark(name))
    assert split_image(with_image(text, REF)) == (text, REF)


def test_the_image_is_the_first_line_of_its_section() -> None:
    """It stands alone on its line, so that a new image is a diff of one line."""
    text = "[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/true\n"
    assert with_image(text, REF) == text.replace("[Service]\n", f"[Service]\nEnvironment=IMAGE={REF}\n")


@pytest.mark.parametrize(
    ("start", "needed"),
    [
        (None, True),
        (("/bin/sleep infinity",), False),
        (("/usr/bin/docker run ${IMAGE}",), True),
        (("run $IMAGE",), True),
    ],
)
def test_only_lines_that_name_the_image_need_one(start: tuple[str, ...] | None, needed: bool) -> None:
    """Nothing is built for a service whose own lines run something else."""
    assert needs_image(render(ServiceSpec("x", "x", "redis:7", start=start), mark("x"))) is needed


def test_text_without_an_image_is_only_made_canonical() -> None:
    """Another unit's text is no error."""
    text = "[Service]\n ExecStart = /bin/true\nEnvironment=IMAGE=later\n"
    assert split_image(text) == (canonical(text), None)


@pytest.mark.parametrize("text", ["[Timer]\nOnCalendar=daily\n", f"[Service]\nEnvironment=IMAGE={REF}\n"])
def test_an_image_is_added_once_and_to_services_only(text: str) -> None:
    """A second image, or one that nothing would read, is a mistake."""
    with pytest.raises(UnitRefused, match="cannot be given an image"):
        with_image(text, REF)
