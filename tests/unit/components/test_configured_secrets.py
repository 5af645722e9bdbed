"""The secrets of a stack's configuration: which values are taken, and what is refused without being shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.configured_secrets import (
    configured_secrets,
    has_empty_passphrase,
    missing_secrets,
    needed_secrets,
    refuse_no_base64,
)
from components.stack_file import clear_paths
from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import App, SecretFile, ServiceSpec, TaskSpec
from fleetcaptain.units.render import render_app

KEY = "fleetcaptain:secrets"


def test_both_forms_are_read() -> None:
    """Names that differ in case are two."""
    config = {f"{KEY}.URL": "a", f"{KEY}.url": "b", KEY: json.dumps({"TOKEN": "c"}), "fleetcaptain:size": "3"}
    assert configured_secrets(config, [f"{KEY}.URL", f"{KEY}.url", KEY]) == {"URL": "a", "url": "b", "TOKEN": "c"}
    assert configured_secrets({"fleetcaptain:size": "3"}, []) == {}


@pytest.mark.parametrize(
    ("config", "encrypted", "problem"),
    [
        (
            {f"{KEY}.URL": "hunter2"},
            [],
            "URL is in clear in the stack's configuration file; encrypt it: `pulumi",
        ),
        ({KEY: '{"URL": "hunter2"}'}, [], "URL is in clear"),
        (
            {KEY: '{"URL": "hunter2"}', f"{KEY}.URL": "x"},
            [KEY, f"{KEY}.URL"],
            f"URL is set twice; remove one value: `pulumi config rm {KEY}.URL`, or `pulumi config rm --path {KEY}.URL`",
        ),
        ({KEY: '{"URL": 1234}'}, [KEY], "URL is not a text; set it: `pulumi config set --secret"),
        ({KEY: '"hunter2"'}, [KEY], "has to hold names and values"),
        ({KEY: "hunter2"}, [KEY], "has to hold names and values"),
    ],
)
def test_others_are_refused_without_being_shown(config: dict[str, str], encrypted: list[str], problem: str) -> None:
    """With the command that mends it."""
    with pytest.raises(UnitRefused) as error:
        configured_secrets(config, encrypted)
    (said,) = error.value.problems
    assert problem in said
    assert "hunter2" not in str(error.value)


def test_a_value_in_clear_beside_an_encrypted_one_is_refused() -> None:
    """Pulumi says of the whole object that it has a secret."""
    document = {"config": {KEY: {"A": {"secure": "v1:x"}, "B": "hunter2"}}}
    with pytest.raises(UnitRefused, match="B is in clear") as error:
        configured_secrets({KEY: '{"A": "x", "B": "hunter2"}'}, [KEY], clear_paths(document, KEY))
    assert len(error.value.problems) == 1


def test_every_missing_value_is_named_with_its_users_and_the_command() -> None:
    """In one report; files and tasks count as variables do."""
    web = ServiceSpec("web", "", "web:1", secrets=("URL",), secret_files=(("/run/key", SecretFile("KEY")),))
    app = App("shop", (web,), Path("/app"), tasks=(TaskSpec(ServiceSpec("migrate", "", "web:1", secrets=("URL",))),))
    needed = needed_secrets(app, render_app(app, "shop/dev"))
    missing_secrets(needed, ["URL", "KEY", "OTHER"])
    with pytest.raises(UnitRefused) as error:
        missing_secrets(needed, ["url"], {"KEY"})
    assert [*error.value.problems] == [
        f"KEY, which web uses: `base64 -w0 FILE | pulumi config set --secret {KEY}.KEY`",
        f"URL, which migrate, web use: `pulumi config set --secret {KEY}.URL` (url has one: names that differ in case "
        "are different)",
    ]


def test_a_file_that_is_to_be_decoded_has_to_be_base64() -> None:
    """It may have several lines, as `base64` writes them."""
    files = (("/run/a", SecretFile("A", base64=True)), ("/run/b", SecretFile("B")))
    app = App("shop", (ServiceSpec("web", "", "web:1", secret_files=files),), Path("/app"))
    refuse_no_base64(app, {"A": "aHVu\ndGVy\n", "B": "hunter2!"})
    with pytest.raises(UnitRefused, match="A: the Fleetfile says") as error:
        refuse_no_base64(app, {"A": "hunter2!", "B": "x"})
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("document", "environ", "empty"),
    [
        ({"encryptionsalt": "v1:x"}, {}, False),
        ({"encryptionsalt": "v1:x"}, {"PULUMI_CONFIG_PASSPHRASE": ""}, True),
        ({"encryptionsalt": "v1:x"}, {"PULUMI_CONFIG_PASSPHRASE": "x"}, False),
        ({"encryptionsalt": "v1:x"}, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/x"}, False),
        ({"encryptionsalt": "v1:x"}, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/x", "PULUMI_CONFIG_PASSPHRASE": ""}, True),
        ({"secretsprovider": "awskms://x"}, {}, False),
        (None, {}, False),
    ],
)
def test_an_empty_passphrase_is_noticed(document: object, environ: dict[str, str], empty: bool) -> None:
    """Not with another provider of secrets, and not if Pulumi asks for it. The variable comes before the file."""
    assert has_empty_passphrase(document, environ) is empty
