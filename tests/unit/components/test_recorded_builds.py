"""What a preview knows of a build that the state has no image of any more, because a rollback removed it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.app_image import CONTEXT_HASH, AppImage
from components.engine.recorded_state import recorded_resources
from components.recorded_builds import APP, IMAGE, RecordedBuild, recorded_builds
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import Build
from fleetcaptain.release.context_hash import context_hash
from tests.fakes.fake_engine import PROJECT, STACK, FakeEngine

BUILT = {"buildArgs": {"A": "1", CONTEXT_HASH: "9"}, "target": "", "digest": "sha256:1"}
SAME = RecordedBuild({"A": "1", CONTEXT_HASH: "9"}, "", [], "sha256:1")


def found(*resources: tuple[str, str, Mapping[str, Any]]) -> Mapping[str, RecordedBuild]:
    """The builds in a state with *resources*: type, name, outputs."""
    urn = f"urn:pulumi:{STACK}::{PROJECT}::{{}}::{{}}"
    state = {urn.format(kind, name): {"type": kind, "outputs": outputs} for kind, name, outputs in resources}
    builds: dict[str, RecordedBuild] = {}
    answers = {"pulumi:pulumi:readStackResourceOutputs": {"outputs": state}}
    FakeEngine(answers).run(lambda: builds.update(recorded_builds(recorded_resources({APP, IMAGE}), "shop")))
    return builds


def test_the_images_in_the_state_are_known() -> None:
    """But for one that was never built."""
    assert found((IMAGE, "web", BUILT), (IMAGE, "api", {**BUILT, "digest": ""})) == {"web": SAME}


def test_a_rollback_notes_them_and_keeps_those_of_the_rollback_before() -> None:
    """An image that was built since is the newer one."""
    noted = {"builds": {"web": SAME.to_data()}}
    assert found((APP, "shop", noted)) == {"web": SAME}
    newer = found((APP, "shop", noted), (IMAGE, "web", {**BUILT, "digest": "sha256:2"}))
    assert newer["web"].digest == "sha256:2"


@pytest.mark.parametrize("changed", [False, True])
def test_a_preview_expects_what_the_same_build_gave(tmp_path: Path, changed: bool) -> None:
    """Of other files, only the build says it."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    recorded = RecordedBuild(
        {CONTEXT_HASH: context_hash(BuildContext(folder, folder / "Dockerfile"))}, "", [], "sha256:1"
    )
    if changed:
        (folder / "main.py").write_text("1")

    def program() -> None:
        made = AppImage(
            "shop", root=tmp_path, build=Build("web"), image="acme/shop", registry="127.0.0.1:5000", recorded=recorded
        )
        pulumi.export("ref", made.ref)

    outputs = FakeEngine().run(program, preview=True).outputs
    assert outputs == ({"ref": "127.0.0.1:5000/acme/shop@sha256:1"} if not changed else {})
