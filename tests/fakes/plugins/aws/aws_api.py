"""The AWS API that the stand-in asks: where boto3's own environment variables (``AWS_ENDPOINT_URL``) say. The name of
each call is added to the file FAKE_AWS_CALLS, if there is one."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.fakes.plugins.inputs import Given

__all__ = ["ACCOUNT", "api", "arn", "configure", "ec2_tags", "found", "region"]

ACCOUNT = "123456789012"
"""The account that moto answers for."""

_settings = {"region": "us-east-1"}
_lock = threading.Lock()


def configure(variables: Mapping[str, str]) -> None:
    """Take the provider's settings."""
    _settings.update(variables)


def region() -> str:
    """Where everything is."""
    return _settings["region"]


def api(service: str) -> Any:
    """boto3's client of *service*."""
    with _lock:  # making one is not safe among threads, using it is
        return _client(service, region())


@functools.cache
def _client(service: str, name: str) -> Any:
    client = boto3.client(service, region_name=name)
    if calls := os.environ.get("FAKE_AWS_CALLS"):
        client.meta.events.register("before-call", lambda model, **_: _record(calls, f"{service}:{model.name}"))
    return client


def _record(calls: str, call: str) -> None:
    with open(calls, "a") as file:  # a line is written at once, also by several threads and processes
        file.write(f"{call}\n")


def found(question: Callable[..., Mapping[str, Any]], key: str, **params: Any) -> Mapping[str, Any] | None:
    """The only item below *key* in the answer to a *question* about one resource; None if AWS has no such resource."""
    try:
        items = question(**params)[key]
    except ClientError as error:
        if error.response["Error"]["Code"].endswith("NotFound"):
            return None
        raise
    return items[0] if items else None


def arn(service: str, resource: str) -> str:
    """The ARN of a *resource* of this account and region."""
    return f"arn:aws:{service}:{region()}:{ACCOUNT}:{resource}"


def ec2_tags(given: Given) -> None:
    """An update of the tags of anything of EC2."""
    tags = given.get("tags", {})
    has = api("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [given.id]}])["Tags"]
    gone = [{"Key": tag["Key"]} for tag in has if tag["Key"] not in tags]
    if gone:
        api("ec2").delete_tags(Resources=[given.id], Tags=gone)
    if tags:
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        api("ec2").create_tags(Resources=[given.id], Tags=pairs)
