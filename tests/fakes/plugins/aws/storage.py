"""Buckets and what is in them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.plugins.aws.aws_api import api, region
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words
from tests.fakes.plugins.wire import text_of

__all__ = ["KINDS"]

# moto cannot list a bucket while something is deleted from it.
_deleting = threading.Lock()


def _bucket(given: Given) -> Made:
    name = given["bucket"]
    place = {} if region() == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region()}}
    api("s3").create_bucket(Bucket=name, **place)
    if "tags" in given:
        _bucket_tags(given.made(name))
    domain = f"{name}.s3.{region()}.amazonaws.com"
    outputs = {"arn": f"arn:aws:s3:::{name}", "bucketRegionalDomainName": domain, "region": region()}
    return Made(name, {**outputs, "bucketDomainName": f"{name}.s3.amazonaws.com"})


def _bucket_tags(given: Given) -> None:
    api("s3").put_bucket_tagging(Bucket=given.id, Tagging={"TagSet": given.pairs()})


def _no_bucket(had: Given) -> None:
    if had.get("forceDestroy"):
        _empty(had.id)
    api("s3").delete_bucket(Bucket=had.id)


def _empty(bucket: str, prefix: str = "") -> None:
    """Every version of every object goes, as the real plugin does it."""
    with _deleting:
        found = api("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
        for version in found.get("Versions", []) + found.get("DeleteMarkers", []):
            api("s3").delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def _object(given: Given) -> Made:
    return Made(given["key"], _put_object(given))


def _put_object(given: Given) -> Mapping[str, Any]:
    body = text_of(given["source"]) if "source" in given else given.get("content", "").encode()
    params = given.params("bucket", "key", "contentType", "serverSideEncryption")
    made = api("s3").put_object(Body=body, **params)
    name = f"arn:aws:s3:::{given['bucket']}/{given['key']}"
    return {"etag": made["ETag"].strip('"'), "versionId": made.get("VersionId", ""), "arn": name}


def _no_object(had: Given) -> None:
    _empty(had["bucket"], had["key"])


def _about_bucket(put: Callable[[Given], tuple[str, dict[str, Any]]], delete: str) -> Kind:
    """A setting of a bucket: *put* gives the call and its parameters, *delete* the call that takes it back."""

    def change(given: Given) -> None:
        call, params = put(given)
        getattr(api("s3"), call)(Bucket=given["bucket"], **params)

    def create(given: Given) -> Made:
        change(given)
        return Made(given["bucket"])

    def undo(had: Given) -> None:
        getattr(api("s3"), delete)(Bucket=had["bucket"])

    updated = words("policy blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets rules")
    return Kind(
        create,
        undo,
        replaces=words("bucket expectedBucketOwner"),
        updates=dict.fromkeys(updated, change),
    )


def _access(given: Given) -> tuple[str, dict[str, Any]]:
    block = given.params("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return "put_public_access_block", {"PublicAccessBlockConfiguration": block}


def _encryption(given: Given) -> tuple[str, dict[str, Any]]:
    algorithms = [rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] for rule in given["rules"]]
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}} for algorithm in algorithms]
    return "put_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _bucket_policy(given: Given) -> tuple[str, dict[str, Any]]:
    policy = given["policy"]
    document = json.loads(policy) if isinstance(policy, str) else policy
    # moto takes every condition for met, and would let nobody in.
    kept = [statement for statement in document["Statement"] if "Condition" not in statement]
    if not kept:
        return "head_bucket", {}
    return "put_bucket_policy", {"Policy": json.dumps({**document, "Statement": kept})}


KINDS = {
    "aws:s3/bucket:Bucket": Kind(
        _bucket,
        _no_bucket,
        replaces=words("bucket bucketPrefix objectLockEnabled"),
        updates={"tags": _bucket_tags},
        unmet=words("forceDestroy"),
        autoname="bucket",
        unique="bucket",
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Kind(
        _object,
        _no_object,
        replaces=words("bucket key"),
        updates=dict.fromkeys(words("source content contentType"), _put_object),
        moves=words("etag versionId"),
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _about_bucket(_access, "delete_public_access_block"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _about_bucket(
        _encryption, "delete_bucket_encryption"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _about_bucket(_bucket_policy, "delete_bucket_policy"),
}
