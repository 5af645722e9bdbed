"""How long systemd gives a unit, read from the unit's own text."""

from __future__ import annotations

import pytest

from fleetcaptain.units.limits import start_limit, stop_limit
from tests.fakes.cluster import text_of


def test_limits_are_those_of_the_keywords() -> None:
    """The stop has a margin for docker itself."""
    text = text_of("web", start_sec=900, stop_sec=700)
    assert (start_limit(text), stop_limit(text)) == (900, 710)


@pytest.mark.parametrize("value", ["2min", "infinity", "", "1\u0660"])
def test_a_limit_in_another_form_is_systemds_default(value: str) -> None:
    """Units that others wrote may have it."""
    assert stop_limit(f"[Service]\nTimeoutStopSec={value}\n") == stop_limit("[Service]\nA=b\n") == 90
