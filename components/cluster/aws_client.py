"""Clients of AWS's API, for what only AWS knows of a cluster: states of machines, refreshes, health of targets."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleet.connection import Connection

__all__ = ["CLIENT_SEC", "aws_client", "aws_errors"]

CLIENT_SEC = 10
"""How long one request may take; boto3 repeats it twice."""


def aws_client(service: str, connection: Connection) -> Any:
    """boto3's client of *service*, in the region and with the profile of the *connection*. Its calls, and this one,
    belong below `aws_errors`."""
    return _client(service, connection.region, connection.profile)


@functools.cache
def _client(service: str, region: str, profile: str) -> Any:
    # Imported here: it takes a quarter of a second, and other clusters do not need it.
    import boto3
    import boto3.session
    from botocore.config import Config

    session = boto3.session.Session(profile_name=profile or None, region_name=region or None)
    limits = Config(connect_timeout=CLIENT_SEC, read_timeout=CLIENT_SEC, retries={"total_max_attempts": 3})
    return session.client(service, config=limits)


@contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """Raise FleetCaptainError for an error of boto3 inside: *what* failed, and why."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ModuleNotFoundError as error:
        raise FleetCaptainError(
            f"Could not {what}: the Python package {error.name} is not installed. Run `python3 -m tools install --aws`."
        ) from error
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise FleetCaptainError(f"Could not {what}: {error}") from error
