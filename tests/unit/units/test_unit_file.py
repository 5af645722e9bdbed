"""A unit's file: its image, which is one line and can be taken off again; its limits; and its form as a text."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import SecretFile, ServiceSpec
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from tests.fakes.fake_cluster import text_of
from tests.unit.units.specs import SPECS, mark

REF = "registry:5000/behavioral@sha256:" + "a" * 64


@pytest.mark.parametrize("name", SPECS)
def test_taking_the_image_off_undoes_adding_it(name: str) -> None:
    """The file without its image is the one that was rendered, byte for byte."""
    file = render(SPECS[name], mark(name))
    assert UnitFile.parse(file.with_image(REF).text).without_image() == (file, REF)
    assert file.with_image("") == file


def test_the_image_is_the_first_line_of_its_section() -> None:
    """It stands alone on its line, so that a new image is a diff of one line."""
    text = "[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/true\n"
    changed = text.replace("[Service]\n", f"[Service]\nEnvironment=IMAGE={REF}\n")
    assert UnitFile.parse(text).with_image(REF).text == changed


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
    assert render(ServiceSpec("x", "x", "redis:7", start=start), mark("x")).needs_image is needed


def test_a_file_without_an_image_stays_as_it_is() -> None:
    """Another unit's file is no error."""
    file = UnitFile.parse("[Service]\n ExecStart = /bin/true\nEnvironment=IMAGE=later\n")
    assert file.without_image() == (file, "")


@pytest.mark.parametrize("text", ["[Timer]\nOnCalendar=daily\n", f"[Service]\nEnvironment=IMAGE={REF}\n"])
def test_an_image_is_added_once_and_to_services_only(text: str) -> None:
    """A second image, or one that nothing would read, is a mistake."""
    with pytest.raises(UnitRefused, match="Cannot add an image to the unit"):
        UnitFile.parse(text).with_image(REF)


def test_limits_are_those_of_the_keywords() -> None:
    """The stop has a margin for docker itself."""
    file = UnitFile.parse(text_of("web", start_sec=900, stop_sec=700))
    assert (file.start_limit_sec, file.stop_limit_sec) == (900, 710)


@pytest.mark.parametrize("value", ["2min", "infinity", "", "1\u0660"])
def test_a_limit_in_another_form_is_systemds_default(value: str) -> None:
    """Units that others wrote may have it."""
    files = [UnitFile.parse(f"[Service]\n{line}\n") for line in (f"TimeoutStopSec={value}", "A=b")]
    assert [file.stop_limit_sec for file in files] == [90, 90]


def test_a_unit_names_the_volumes_that_it_writes_to() -> None:
    """By keyword or by docker's options; not what it only reads, its secrets, or words of its command."""
    mounts = ("--mount", "type=volume,src=cache,dst=/c", "--mount=type=bind,source=/etc,dst=/e,readonly", "-v=x:/y")
    spec = ServiceSpec(
        "db",
        "db",
        "postgres:16",
        ("run", "-v", "no:/no"),
        volumes=("data:/d", "/srv:/s:rw,z", "logs:/l:ro"),
        docker_args=mounts,
        secret_files=(("/run/secrets/key", SecretFile("KEY")),),
    )
    assert render(spec, mark("db")).volumes == {"data", "/srv", "cache", "x"}


def test_options_that_no_file_can_hold_are_a_comment_with_its_reason() -> None:
    """fleet's API takes a line end in a value; only a unit that is to be sent is refused for it."""
    file = UnitFile((Option("Service", "ExecStart", "/bin/a\nExecStop=/bin/b"),))
    assert file.text.startswith("# A unit option cannot be written:")
    assert "a line end without a backslash before it" in file.unwritable[0]
    assert len(file.unit_hash) == 40


def test_text_that_fleet_cannot_read_is_refused() -> None:
    """Where it comes in."""
    with pytest.raises(UnitRefused, match="no closing"):
        UnitFile.parse("[Service\n")
