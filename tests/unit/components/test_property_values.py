"""Values of providers, as the engine sends and takes them."""

from __future__ import annotations

from typing import Any

import pulumi
from google.protobuf.struct_pb2 import Struct

from components.host.property_values import struct_of, values_of

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def struct(**values: Any) -> Struct:
    """A message of *values*."""
    message = Struct()
    message.update(values)
    return message


def test_a_message_becomes_plain_values() -> None:
    """Numbers are floats, nulls are left out, and what is unknown is no string."""
    message = struct(size=3, tls=True, image=UNKNOWN, rollout={"keep": None, "sec": [1, None]}, endpoints=None)
    values = values_of(message)
    assert values.pop("image") is pulumi.UNKNOWN
    assert values == {"size": 3.0, "tls": True, "rollout": {"sec": [1.0, None]}}
    assert isinstance(values["size"], float)


def test_values_become_a_message() -> None:
    """Also of tuples; what a provider does not know is left out."""
    values = {"size": 3, "names": ("a", pulumi.UNKNOWN), "rollout": {"sec": None}, "endpoints": None}
    assert struct_of(values, Struct()) == struct(size=3, names=["a", UNKNOWN], rollout={"sec": None})
    assert struct_of(None, Struct()) == Struct()


def test_each_text_can_be_changed_but_for_where_things_are() -> None:
    """At any depth, keys too."""
    values = {"unit": "a", "names": [{"b": ("c", 1)}], "cluster": {"key": "d"}, "home": "e"}
    changed = struct(unit="A", names=[{"B": ["C", 1]}], cluster={"key": "d"}, home="e")
    assert struct_of(values, Struct(), str.upper) == changed


def test_a_pickle_of_an_earlier_version_stays_where_it_is() -> None:
    """No provider sees it, and no one adds it."""
    before = struct(__provider="gASV", size=1)
    assert values_of(before) == {"size": 1.0}
    assert struct_of({"size": 2}, before, str.upper) == struct(__provider="gASV", size=2)
    assert struct_of({"size": 2}, struct(size=1)) == struct(size=2)
