"""The configuration file of the stack, ``Pulumi.<stack>.yaml``: which of its values are in clear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml  # type: ignore[import-untyped]  # Pulumi's SDK brings it

__all__ = ["clear_paths", "read_stack_file"]


def read_stack_file() -> Any:
    """The content of the stack's file in the project's folder, which is this process's; None if there is no readable
    one, as with ``--config-file``."""
    try:
        return yaml.safe_load(Path(f"Pulumi.{pulumi.get_stack()}.yaml").read_bytes())
    except (OSError, yaml.YAMLError):
        return None


def clear_paths(document: Any, key: str) -> frozenset[tuple[str, ...]]:
    """The path, *key* first, of each value in clear of the setting *key* in *document*, a stack's file."""
    config = document.get("config") if isinstance(document, Mapping) else None
    value = config.get(key) if isinstance(config, Mapping) else None
    return frozenset(_in_clear(value, (key,))) if value is not None else frozenset()


def _in_clear(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, Mapping):
        yield path
    elif value.keys() != {"secure"}:
        for name, entry in value.items():
            yield from _in_clear(entry, (*path, str(name)))
