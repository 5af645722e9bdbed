"""The image of an app: how it is built and pushed, and what a user sees when that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from components import app_image as image
from components.app_image import CONTEXT_HASH, AppImage
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleet.process_output import Finished
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import Build
from fleetcaptain.registry_login import RegistryLogin
from fleetcaptain.release.context_hash import context_hash
from tests.fakes.fake_engine import STACK, FakeEngine

NAME = "127.0.0.1:5000/acme/shop"
INPUTS = {"exports": [{"image": {"names": [f"{NAME}:latest"]}}]}


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    """An image, declared."""

    def program() -> None:
        made = AppImage(
            "shop", root=tmp_path, build=Build("web", "Web.Dockerfile"), image="acme/shop", registry="127.0.0.1:5000"
        )
        pulumi.export("ref", made.ref)

    return FakeEngine(computed=lambda _kind, _name: {"digest": "sha256:1"}).run(program)


def test_an_image_is_built_from_its_folder_and_named_by_its_digest(engine: FakeEngine, tmp_path: Path) -> None:
    """In a preview it is not built: that would push it."""
    image = engine.one("Image", "shop")
    assert image["context"]["location"] == str(tmp_path / "web")
    assert image["dockerfile"]["location"] == str(tmp_path / "web" / "Web.Dockerfile")
    (export,) = image["exports"]
    assert (export["image"]["names"], export["image"]["push"]) == ([f"{NAME}:latest"], True)
    assert image["buildOnPreview"] is False
    assert "registries" not in image
    assert engine.outputs["ref"] == f"{NAME}@sha256:1"


@pytest.fixture
def guarded(tmp_path: Path) -> FakeEngine:
    """An image for a registry with a login, whose Dockerfile begins with one of another registry."""

    def program() -> None:
        AppImage(
            "shop",
            root=tmp_path,
            build=Build("web", "Web.Dockerfile"),
            image="acme/shop",
            registry="127.0.0.1:5000/team",
            login=pulumi.Output.secret(("ci", "s3cret")),
            others=[RegistryLogin("ghcr.io", "acme", "0ther")],
        )

    return FakeEngine(computed=lambda _kind, _name: {"digest": "sha256:1"}).run(program)


def test_it_is_pushed_with_the_login_of_its_registry(guarded: FakeEngine) -> None:
    """Which has a host, also when images are below a path; images that it begins with are pulled with theirs. All are
    secret in the state."""
    registries = guarded.one("Image", "shop")["registries"]
    assert rpc.is_rpc_secret(registries)
    assert rpc.unwrap_rpc_secret(registries) == [
        {"address": "127.0.0.1:5000", "username": "ci", "password": "s3cret"},
        {"address": "ghcr.io", "username": "acme", "password": "0ther"},
    ]


def test_a_failed_push_is_explained_with_the_login(guarded: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in a private file for the time of the command, and in none of its arguments."""
    seen: list[Path] = []

    def run(argv: list[str], _timeout_sec: float, *, environ: Mapping[str, str]) -> Finished:
        assert "s3cret" not in " ".join(argv)
        file = Path(environ["DOCKER_CONFIG"], "config.json")
        seen.append(file)
        assert {"127.0.0.1:5000", "ghcr.io"} <= json.loads(file.read_text())["auths"].keys()
        return Finished(1, "", "denied")

    monkeypatch.setattr(image, "run", run)
    monkeypatch.setattr(pulumi.log, "error", lambda _text: None)
    explain(guarded, "create", INPUTS)
    (file,) = seen
    assert not file.exists()


def test_its_files_are_an_input(engine: FakeEngine, tmp_path: Path) -> None:
    """So a saved plan is bound to them."""
    hashed = context_hash(BuildContext(tmp_path / "web", tmp_path / "web" / "Web.Dockerfile"))
    assert engine.one("Image", "shop")["buildArgs"] == {CONTEXT_HASH: hashed}


def test_a_moved_project_shows_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of an app in the project is relative to that, in which the plugin works too."""
    monkeypatch.chdir(tmp_path)

    def program() -> None:
        build = Build(".", "Dockerfile")
        AppImage("shop", root=tmp_path / "examples" / "shop", build=build, image="shop", registry="127.0.0.1:5000")

    image = FakeEngine(computed=lambda _kind, _name: {"digest": "sha256:1"}).run(program).one("Image", "shop")
    assert image["context"]["location"] == "examples/shop"
    assert image["dockerfile"]["location"] == "examples/shop/Dockerfile"


def test_a_build_of_chosen_files_gets_a_copy_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of the stack, so that only they count: for the plugin too, which hashes all that it can send. So an
    edit elsewhere is no change. A later copy is another folder, as a build may use this one."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for name in ("web/app.py", "job/run.py", "Dockerfile"):
        (tmp_path / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / name).touch()

    def program() -> None:
        AppImage("web", root=tmp_path / "shop", build=Build(only=("web",)), image="shop/web", registry="127.0.0.1:5000")

    def declared() -> dict[str, Any]:
        return FakeEngine(computed=lambda _kind, _name: {"digest": "sha256:1"}).run(program).one("Image", "web")

    image = declared()
    copy = Path(image["context"]["location"])
    assert copy.parent == Path(".fleetcaptain", STACK, "builds", "web")
    assert image["dockerfile"]["location"] == str(copy / "Dockerfile")
    assert sorted(path.name for path in copy.rglob("*")) == ["Dockerfile", "app.py", "web"]
    (tmp_path / "shop" / "job" / "run.py").write_text("other")
    assert declared() == image
    (tmp_path / "shop" / "web" / "app.py").write_text("other")
    assert declared() != image


def test_the_project_itself_is_not_sent_to_the_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the keys of its clusters in it."""
    monkeypatch.chdir(tmp_path)

    def program() -> None:
        AppImage("shop", root=tmp_path, build=Build(".", "Dockerfile"), image="shop", registry="127.0.0.1:5000")

    engine = FakeEngine()
    with pytest.raises(ReleaseRefused, match=r"\.dockerignore does not exclude \.fleetcaptain"):
        engine.run(program)
    assert engine.resources == {}


SECRETS = {"NPM_TOKEN": "hunter2", "CERTIFICATE": "begin\n hunter2-b\nend\n"}
FULL = Build(
    target="web", args=(("NODE_VERSION", "22"),), secrets=("CERTIFICATE", "NPM_TOKEN"), platforms=("linux/amd64",)
)


@pytest.fixture
def full(tmp_path: Path) -> FakeEngine:
    """An image with all inputs that a Dockerfile can need, declared."""

    def program() -> None:
        secrets = {name: pulumi.Output.secret(value) for name, value in SECRETS.items()}
        AppImage("shop", root=tmp_path, build=FULL, image="acme/shop", registry="127.0.0.1:5000", secrets=secrets)

    return FakeEngine(computed=lambda _kind, _name: {"digest": "sha256:1"}).run(program)


def test_the_inputs_of_a_build_are_inputs_of_the_image(full: FakeEngine) -> None:
    """Secrets as secrets, whose values do not count for a difference."""
    image = full.one("Image", "shop")
    assert image["buildArgs"].items() >= {"NODE_VERSION": "22"}.items()
    assert CONTEXT_HASH in image["buildArgs"]
    assert (image["target"], image["platforms"]) == ("web", ["linux/amd64"])
    assert image["ignoreSecretsInDiffCalculation"] == ["CERTIFICATE", "NPM_TOKEN"]
    # The SDK marks a secret: it has the value beside the mark.
    assert image["secrets"]["value"] == SECRETS


def test_an_image_without_them_has_no_other_inputs(engine: FakeEngine) -> None:
    """So images of earlier versions show no change."""
    assert not {"target", "platforms", "secrets", "ignoreSecretsInDiffCalculation"} & engine.one("Image", "shop").keys()


def test_a_failed_build_is_explained_with_its_inputs(
    full: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Secrets are in the environment of buildx and not in its arguments; what it prints of them is not shown."""
    errors: list[str] = []
    (tmp_path / "docker").write_text(
        '#!/bin/sh\nexec >&2\necho "$@"\n'
        'echo "$FLEETCAPTAIN_SECRET_CERTIFICATE, $FLEETCAPTAIN_SECRET_NPM_TOKEN"\nexit 1\n'
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(pulumi.log, "error", errors.append)
    explain(full, "create", INPUTS)
    arguments, *printed = errors[0].splitlines()
    assert (
        " --build-arg=NODE_VERSION=22 --secret=id=CERTIFICATE,env=FLEETCAPTAIN_SECRET_CERTIFICATE"
        " --secret=id=NPM_TOKEN,env=FLEETCAPTAIN_SECRET_NPM_TOKEN --platform=linux/amd64 --target=web --file "
    ) in arguments
    hidden = "[secret CERTIFICATE]"
    assert printed == [hidden, f" {hidden}", hidden, ", [secret NPM_TOKEN]"]


def explain(engine: FakeEngine, operation: str, inputs: dict[str, Any] | None) -> None:
    """Do what the engine does when an *operation* on the image has failed. It must not try it again by itself."""
    hook: Any = engine.hooks["explain-shop"].callback
    kind = "docker-build:index:Image"
    failed = pulumi.ErrorHookArgs(
        "urn", "id", "shop", kind, failed_operation=operation, errors=["exit status 1"], new_inputs=inputs
    )
    assert asyncio.run(hook(failed)) is False


def test_a_failed_build_of_chosen_files_says_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that copies another file fails as if it did not exist."""
    errors: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image, "run", lambda *_, **__: Finished(1, "", 'ERROR: "/lib": not found'))
    monkeypatch.setattr(pulumi.log, "error", errors.append)
    build = Build("app", only=("static", "web"))

    def program() -> None:
        AppImage("shop", root=tmp_path, build=build, image="acme/shop", registry="127.0.0.1:5000")

    (tmp_path / "app").mkdir()
    explain(FakeEngine(computed=lambda _kind, _name: {"digest": "sha256:1"}).run(program), "create", INPUTS)
    assert errors[0].splitlines() == [
        'image shop: ERROR: "/lib": not found',
        "The build had only static, web and the Dockerfile. Add what its steps copy to Build(only=...).",
    ]


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Finished(1, "", "#1 load\n------\n > RUN make:\nno rule\n------\n"), "no rule"),
        (Finished(0, "", ""), "Run `pulumi up` again"),
        (FileNotFoundError("no docker"), "docker buildx build"),
    ],
)
def test_a_failed_build_is_explained(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    done: Finished | Exception,
    words: str,
) -> None:
    """By the same build, run once more: the plugin itself has no reason. It is not tried again by the engine."""
    commands: list[list[str]] = []
    errors: list[str] = []

    def run(argv: list[str], _timeout_sec: float, **_: object) -> Finished:
        commands.append(argv)
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr(image, "run", run)
    monkeypatch.setattr(pulumi.log, "error", errors.append)
    explain(engine, "create", INPUTS)
    (argv,) = commands
    assert argv[:3] == ["docker", "buildx", "build"]
    assert argv[-1] == str(tmp_path / "web")
    assert f"{NAME}:latest" in argv
    (error,) = errors
    assert error.startswith("image shop: ")
    assert words in error


def test_of_a_failed_removal_nothing_is_built(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to explain."""
    monkeypatch.setattr(image, "run", lambda *_, **__: pytest.fail("nothing may run"))
    explain(engine, "delete", INPUTS)
    explain(engine, "create", None)


def test_a_build_may_print_anything(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bytes that are no text, and more than fits in memory, hide its error no more than escapes do."""
    errors: list[str] = []
    (tmp_path / "docker").write_text(
        "#!/bin/sh\n{ yes | head -c 50000000; printf '\\377\\033]52;\\nno rule\\n'; } >&2\nexit 1\n"
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(pulumi.log, "error", errors.append)
    explain(engine, "create", INPUTS)
    assert errors[0].endswith("y\n\ufffd\\x1b]52;\nno rule")
