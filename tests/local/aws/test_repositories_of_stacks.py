"""Two stacks of one app in one account: no repository of one has the name of the other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from components.aws.image_registry import prefix_of
from tests.fakes.plugins.aws import PLUGIN
from tests.local.aws.cloud import REGION, Cloud
from tests.local.aws.plugin_client import Asking, Refusal

_REPOSITORY = "aws:ecr/repository:Repository"


@contextmanager
def repository(engine: Asking, name: str) -> Iterator[str]:
    """An ECR repository called *name*, and its URL."""
    identity, outputs = engine.create(_REPOSITORY, {"name": name, "forceDelete": True})
    try:
        yield str(outputs["repositoryUrl"])
    finally:
        engine.delete(_REPOSITORY, identity, {"name": name, "forceDelete": True})


def test_both_have_their_images(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bare name, as before, AWS refuses the second one."""
    for name, value in cloud.environ.items():
        monkeypatch.setenv(name, value)
    PLUGIN.configure({"region": REGION})
    engine, stacks = Asking(PLUGIN), ("shop/prod", "shop/staging")
    names = [f"{prefix_of(stack, [])}acme/web" for stack in stacks]
    with repository(engine, names[0]) as first, repository(engine, names[1]) as second:
        assert first != second
        assert second.endswith("amazonaws.com/shop/staging/acme/web")
        with pytest.raises(Refusal, match="RepositoryAlreadyExists"), repository(engine, names[1]):
            pass
