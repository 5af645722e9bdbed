"""A cluster whose Python packages are not installed: what to run is said once, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import pulumi
import pytest

from components.cluster.choose import choose_cluster
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleetfile.values import App


class Settings:
    """The stack's settings."""

    def get(self, name: str) -> str | None:
        """A cluster on AWS."""
        return {"cluster": "aws"}.get(name)


@pytest.mark.parametrize("package", ["pulumi_aws", "pulumi_tls"])
def test_a_missing_package_for_aws_is_said_with_what_installs_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come with the first `make up` of a stack on AWS, not with that of another one."""
    for module in [name for name in sys.modules if name.startswith("components.cluster.aws")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    app = App("shop", (), Path())
    with pytest.raises(FleetCaptainError, match=rf"{package} is not installed.*`make up STACK=prod`.*--aws"):
        choose_cluster(cast(pulumi.Config, Settings()), app)
