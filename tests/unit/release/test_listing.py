"""``captain releases``, as a person and as a program sees it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, release_key, text_key
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.listing import as_json, rows, table
from fleetcaptain.release.repository import Releases
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.unit_texts import unit_hash
from tests.unit.cli.conftest import etcd
from tests.unit.release.example_releases import release

__all__ = ["etcd"]
TEXT = "[Service]\nExecStart=/bin/true"
SHA1 = unit_hash(TEXT)
KNOWN = Releases(
    (release("v1", web=SHA1), release("v2", web=SHA1), release("v3", unfinished=True, web="other")),
    current="v2",
    previous="v1",
    texts={SHA1: TEXT},
)


def test_the_last_release_comes_first() -> None:
    """With its state, and whether it can be gone back to and why not."""
    found = rows(KNOWN, {"web@sha256:1": ImageState.THERE})
    assert [(row.manifest.tag, row.state, bool(row.why_not)) for row in found] == [
        ("v3", "unfinished", True),
        ("v2", "current", False),
        ("v1", "previous", False),
    ]
    told = as_json(found[0])
    assert (told["can_go_back"], told["why_not"]) == (False, ["it has never been available as a whole"])
    assert told["services"]["web"]["content"] == "other"


def test_an_image_of_which_nothing_is_known_is_no_yes() -> None:
    """Whoever reads it is told what it hangs on."""
    found = rows(KNOWN, {"web@sha256:1": ImageState.UNKNOWN})[1]
    assert table([found])[1].endswith("yes, if web@sha256:1 still exists")
    assert (as_json(found)["can_go_back"], as_json(found)["unknown_images"]) == (True, ["web@sha256:1"])


def test_the_table_has_a_line_a_release() -> None:
    """One reads from it what to do."""
    head, _, line, _ = table(rows(KNOWN, {"web@sha256:1": ImageState.THERE}))
    assert head.split() == ["TAG", "STATE", "WHEN", "WHO", "SERVICES", "ROLLBACK"]
    assert line.split() == ["v2", "current", "2030-01-31T12:00:00+00:00", "ann@laptop", "web", "yes"]


def test_the_command_reads_an_etcd(
    etcd: FakeEtcd, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --etcd it needs neither a stack nor a machine."""
    monkeypatch.delenv("FLEETCAPTAIN_APP", raising=False)
    without_image = Release("v1", {"web": ServiceRelease(SHA1, 1)})
    etcd.put(release_key("shop", "v1"), without_image.to_json())
    etcd.put(text_key("shop", SHA1), TEXT)
    etcd.put(current_key("shop"), "v1")
    assert main(["releases", "--etcd", etcd.url, "--app", "shop", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["tag"], row["state"], row["can_go_back"]) == ("v1", "current", True)
    assert main(["releases", "--etcd", etcd.url, "--app", "other"]) == 0
    assert "No releases. Deploy one" in capsys.readouterr().err


def test_a_row_is_one_line_whatever_is_in_it() -> None:
    """A name with a line end would forge a row, one with an escape sequence would hide one."""
    forged = replace(KNOWN.manifests[0], who="ann\nv9  current\x1b[2K\u202e")
    (_, line) = table(rows(Releases((forged,)), {}))
    assert r"ann\nv9  current\x1b[2K\u202e" in line
