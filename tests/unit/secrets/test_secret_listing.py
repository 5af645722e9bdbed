"""The list of an app's secrets."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.release.repository import Releases
from fleetcaptain.secrets.secret_listing import secret_rows
from tests.unit.release.example_releases import release

_TEXT = "[X-FleetCaptain]\nSecretDigest=URL " + "0" * 32 + "\n"


def test_a_value_is_there_since_the_first_release_that_has_it() -> None:
    """Also when that one was deployed again after others."""
    old, new = release("v1", web="a"), release("v2", web="a")
    found = Releases((replace(new, when="2026-02-01"), replace(old, when="2026-01-01")), texts={"a": _TEXT})
    (row,) = secret_rows(found)
    assert (row.name, row.since, row.releases) == ("URL", "2026-01-01", ("v1", "v2"))
