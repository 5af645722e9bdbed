"""What is installed for which purpose: from a command's options, a stack's settings and an environment's marker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.profile import Profile, profile_of
from tools.project_layout import Layout, put
from tools.venv import mark, venv_profile

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("settings", "profile"),
    [
        ("", Profile.MAIN),
        ("config:\n  fleetcaptain:cluster: aws\n", Profile.AWS),
        ('config:\n  fleetcaptain:size: "3"\n  "fleetcaptain:cluster": \'aws\' # prod\n', Profile.AWS),
        ("config:\n  fleetcaptain:cluster: local\n", Profile.MAIN),
        ("config:\n  # fleetcaptain:cluster: aws\n", Profile.MAIN),
        ("config:\n  other:cluster: aws\n", Profile.MAIN),
        ("config:\n  fleetcaptain:cluster: awsome\n", Profile.MAIN),
    ],
)
def test_a_stack_on_aws_is_known_by_its_settings(settings: str, profile: Profile) -> None:
    """So that `make up` works the first time, without an option."""
    assert profile_of(settings) is profile
    assert profile_of(settings, tests=True) is Profile.TESTS


def test_the_sample_of_a_stack_on_aws_is_one() -> None:
    """And the default stack is none. An option does without settings."""
    layout = Layout(ROOT)
    assert profile_of(layout.settings("aws").read_text()) is Profile.AWS
    assert profile_of(layout.settings("dev").read_text()) is Profile.MAIN
    assert profile_of("", aws=True) is Profile.AWS


def test_settings_are_found_by_the_last_part_of_a_stack_s_name() -> None:
    """Pulumi names the file so."""
    assert Layout(ROOT).settings("acme/shop/prod") == Layout(ROOT).settings("prod") == ROOT / "Pulumi.prod.yaml"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A project with an environment that has just been made."""
    for name in ("pyproject.toml", *Profile.TESTS.locks):
        put(tmp_path / name, b"")
    put(tmp_path / ".venv" / "bin" / "python", b"", mode=0o755)
    return Layout(tmp_path)


def test_an_environment_without_a_marker_is_unfinished(layout: Layout) -> None:
    """The marker is the last thing written."""
    assert venv_profile(layout) is None


@pytest.mark.parametrize("profile", Profile)
def test_an_environment_is_known_by_its_marker(layout: Layout, profile: Profile) -> None:
    """Until pyproject.toml or a lock of the profile changes, or its Python goes away."""
    mark(layout, profile)
    assert venv_profile(layout) is profile
    for changed in ("pyproject.toml", profile.locks[-1]):
        put(layout.root / changed, changed.encode())
        assert venv_profile(layout) is None
        mark(layout, profile)
    (layout.venv / "bin" / "python").unlink()
    assert venv_profile(layout) is None


def test_an_environment_of_an_earlier_version_is_upgraded(layout: Layout) -> None:
    """Its marker names no profile."""
    put(layout.venv / ".installed-from", b"0" * 64)
    assert venv_profile(layout) is None
