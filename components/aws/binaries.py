"""The machines' bucket: the programs that they fetch at their first boot, their keys, and definitions that are too long
for user data. Only their roles can read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.aws.scope import Scope

__all__ = ["Bucket", "make_bucket"]


@dataclass(frozen=True)
class Bucket:
    """Its *name* and *arn*, and the objects that machines fetch at their first boot."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    before_machines: tuple[pulumi.Resource, ...]


def make_bucket(scope: Scope, programs: Mapping[str, Path], sums: Mapping[str, str]) -> Bucket:
    """The bucket, with *programs* in it. The key of each contains its checksum, so earlier machines find theirs as long
    as they exist."""
    bucket = aws.s3.Bucket(scope.named("boot"), force_destroy=True, tags=scope.tags("boot"), opts=scope.child())
    closed = aws.s3.BucketPublicAccessBlock(
        scope.named("boot"),
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=scope.child(),
    )
    encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
        scope.named("boot"),
        bucket=bucket.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
        opts=scope.child(),
    )
    tls_only = aws.s3.BucketPolicy(
        scope.named("boot"),
        bucket=bucket.bucket,
        policy=bucket.arn.apply(_tls_only),
        # AWS refuses two concurrent changes of a bucket's access.
        opts=scope.child(depends_on=[closed]),
    )
    objects = [
        aws.s3.BucketObjectv2(
            scope.named(name),
            bucket=bucket.bucket,
            key=f"bin/{sums[name][:16]}/{name}",
            source=pulumi.FileAsset(str(path)),
            opts=scope.child(depends_on=[closed, encrypted, tls_only]),
        )
        for name, path in programs.items()
    ]
    return Bucket(bucket.bucket, bucket.arn, (closed, encrypted, tls_only, *objects))


def _tls_only(arn: str) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
