"""The inputs of a resource on their way to AWS: none gets lost in the translation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

__all__ = ["Given", "pascal"]


def pascal(value: Any) -> Any:
    """*value* with its keys as AWS writes them: ``httpTokens`` -> ``HttpTokens``, at every depth."""
    if isinstance(value, dict):
        return {f"{key[0].upper()}{key[1:]}": pascal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [pascal(item) for item in value]
    return value


class Given:
    """Inputs that have to be taken, each once at least: `left` names those that nobody asked AWS for.

    *id* is empty until the resource is there.
    """

    def __init__(self, values: Mapping[str, Any], identity: str = "") -> None:
        self.id = identity
        self._values = {key: value for key, value in values.items() if not key.startswith("__") and value is not None}
        self._taken: set[str] = set()

    def made(self, identity: str) -> Self:
        """The same inputs, now of the resource *identity*."""
        self.id = identity
        return self

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        self._taken.add(key)
        return self._values[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The input *key*, or *default*."""
        self._taken.add(key)
        return self._values.get(key, default)

    def params(self, *keys: str, **renamed: str) -> dict[str, Any]:
        """Those of *keys* that are given, named as AWS names them; *renamed* says where that differs more."""
        names = {**{key: pascal({key: 0}).popitem()[0] for key in keys}, **renamed}
        return {name: pascal(self[key]) for key, name in names.items() if key in self}

    def pairs(self) -> list[dict[str, str]]:
        """The tags, as AWS writes them."""
        return [{"Key": key, "Value": value} for key, value in self.get("tags", {}).items()]

    def tags(self, resource: str) -> dict[str, Any]:
        """The tags of an EC2 *resource* such as ``subnet``."""
        pairs = self.pairs()
        return {"TagSpecifications": [{"ResourceType": resource, "Tags": pairs}]} if pairs else {}

    def left(self, beside: Collection[str]) -> list[str]:
        """The inputs that nobody took and that are not in *beside*."""
        return sorted(set(self._values) - self._taken - set(beside))
