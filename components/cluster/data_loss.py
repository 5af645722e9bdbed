"""Consent to lose the data on a local cluster."""

from __future__ import annotations

import os

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.localcluster.consent import LOSE_DATA, loss_problems
from fleetcaptain.localcluster.volumes import kept_data

__all__ = ["refuse_loss"]


def refuse_loss(identity: str) -> None:
    """Raise ClusterRefused if the machines of the cluster *identity* (``project/stack/...``) have data whose loss the
    environment does not consent to."""
    problems = loss_problems(kept_data(identity), os.environ.get(LOSE_DATA, ""), identity.split("/")[1])
    if problems:
        raise ClusterRefused("Cannot remove the cluster: its machines have data. Nothing was changed:", problems)
