"""Each input of the program, at every depth, is one that pulumi_aws and pulumi_tls declare for that resource.

pulumi_aws takes dicts, whose unknown keys it sends as they are; a provider drops some of them without a word.
"""

from __future__ import annotations

import importlib
import re
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pulumi
import pytest

from tests.fakes.fake_engine import FakeEngine
from tests.unit.aws.declared import declare
from tests.unit.schedule.windows import window

_OF_A_PROVIDER = re.compile(r"(aws|tls):(\w+)/\w+:(\w+)")
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_CONFIGS = ({"size": "12"}, {"size": "4", "allowSshFrom": "", "spot": "true"}, {"advertisedIpAddress": "public"})


@cache
def _declared() -> tuple[FakeEngine, ...]:
    """All that the program can declare: members of both sizes, workers, spot, windows, both ways in."""
    return tuple(declare(config, windows=[[window(machines=2)]]) for config in _CONFIGS)


def unknown_inputs(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """The paths in *inputs*, which are Pulumi's own names, that the resource class of *token* does not have."""
    known, paths = _inputs_of(token), list[str]()
    for key, value in inputs.items():
        paths += [key] if key not in known else _unknown(known[key], value, key)
    return paths


@cache
def _inputs_of(token: str) -> Mapping[str, Any]:
    """Pulumi's name of each input of a resource -> its type."""
    found = _OF_A_PROVIDER.fullmatch(token)
    assert found is not None, token
    package, module, name = found.groups()
    path = f"pulumi_{package}" if module == "index" else f"pulumi_{package}.{module}"
    resource: Any = getattr(importlib.import_module(path), name)
    hints = typing.get_type_hints(resource._internal_init, vars(sys.modules[resource.__module__]))
    return {_camel(argument): hint for argument, hint in hints.items()}


def _unknown(hint: Any, value: Any, path: str) -> Iterator[str]:
    """The paths below *path*, whose type is *hint*, that the type does not have."""
    shapes = list(_shapes(hint))
    if isinstance(value, dict) and _SIGNATURE in value:  # a secret, or an asset, which has no value of this kind
        value = value.get("value")
    if isinstance(value, list):
        items = next((typing.get_args(shape)[0] for shape in shapes if typing.get_origin(shape) is Sequence), None)
        for number, item in enumerate(value):
            yield from _unknown(items, item, f"{path}[{number}]")
    elif isinstance(value, dict) and not any(typing.get_origin(shape) is Mapping for shape in shapes):
        known = next((_names(shape) for shape in shapes if pulumi._types.is_input_type(shape)), {})
        for key, item in value.items():
            below = f"{path}.{key}"
            if key in known:
                yield from _unknown(known[key], item, below)
            else:
                yield below


def _shapes(hint: Any) -> Iterator[Any]:
    """The members of a union, at every depth."""
    if typing.get_origin(hint) is typing.Union:
        for one in typing.get_args(hint):
            yield from _shapes(one)
    else:
        yield hint


@cache
def _names(args: Any) -> dict[str, Any]:
    """Pulumi's name of each input of the nested type *args* -> its type."""
    hints = typing.get_type_hints(args.__init__, vars(sys.modules[args.__module__]))
    return {camel: hints[own] for own, camel in pulumi._types.input_type_py_to_pulumi_names(args).items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def test_every_input_is_one_that_the_resource_has() -> None:
    """Below the top level too: a health check's interval, a rule of a lifecycle, an option of the metadata service."""
    wrong, tokens = [], set()
    for engine in _declared():
        for (kind, name), request in engine.requests.items():
            if _OF_A_PROVIDER.fullmatch(request.type):
                tokens.add(request.type)
                wrong += [f"{kind} {name}: {path}" for path in unknown_inputs(request.type, engine.one(kind, name))]
    assert wrong == []
    assert len(tokens) >= 30, tokens


@pytest.mark.parametrize(
    ("inputs", "wrong"),
    [
        ({"instanceTypo": "t3.medium"}, ["instanceTypo"]),
        ({"metadataOptions": {"http_tokens": "required"}}, ["metadataOptions.http_tokens"]),
        ({"blockDeviceMappings": [{"ebs": {"volumeTypo": 1}}]}, ["blockDeviceMappings[0].ebs.volumeTypo"]),
        ({"tags": {"any_key": "1"}, "metadataOptions": {"httpTokens": "required"}}, []),
    ],
)
def test_an_input_that_the_resource_does_not_have_is_found(inputs: dict[str, Any], wrong: list[str]) -> None:
    """At the top, in a dict, and in a list of them; a tag has any name."""
    assert unknown_inputs("aws:ec2/launchTemplate:LaunchTemplate", inputs) == wrong
