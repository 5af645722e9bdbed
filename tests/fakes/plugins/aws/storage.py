"""Buckets and what is in them, parameters, and repositories of images."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.plugins.aws.api import api, region
from tests.fakes.plugins.given import Given, pascal
from tests.fakes.plugins.kinds import Kind, Made, nothing, words
from tests.fakes.plugins.wire import text_of

__all__ = ["KINDS"]

# moto cannot list a bucket while something is deleted from it.
_deleting = threading.Lock()


def _pairs(given: Given) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.get("tags", {}).items()]


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
    api("s3").put_bucket_tagging(Bucket=given.id, Tagging={"TagSet": _pairs(given)})


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


def _about_bucket(put: Callable[[Given], tuple[str, dict[str, Any]]], delete: str = "") -> Kind:
    """A setting of a bucket: *put* gives the call and its parameters, *delete* the call that takes it back."""

    def change(given: Given) -> None:
        call, params = put(given)
        getattr(api("s3"), call)(Bucket=given["bucket"], **params)

    def create(given: Given) -> Made:
        change(given)
        return Made(given["bucket"])

    def undo(had: Given) -> None:
        getattr(api("s3"), delete)(Bucket=had["bucket"])

    updated = words("policy blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets rules rule")
    updated |= words("versioningConfiguration")
    return Kind(
        create,
        undo if delete else nothing,
        replaces=words("bucket expectedBucketOwner"),
        updates=dict.fromkeys(updated, change),
        unmet=words("skipDestroy"),
    )


def _access(given: Given) -> tuple[str, dict[str, Any]]:
    block = given.params("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return "put_public_access_block", {"PublicAccessBlockConfiguration": block}


def _versioning(given: Given) -> tuple[str, dict[str, Any]]:
    return "put_bucket_versioning", {"VersioningConfiguration": pascal(given["versioningConfiguration"])}


def _encryption(given: Given) -> tuple[str, dict[str, Any]]:
    rules = []
    for rule in given["rules"]:
        default = {"SSEAlgorithm": rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"]}
        key = rule["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId")
        rules.append({"ApplyServerSideEncryptionByDefault": {**default, **({"KMSMasterKeyID": key} if key else {})}})
    return "put_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _ownership(given: Given) -> tuple[str, dict[str, Any]]:
    return "put_bucket_ownership_controls", {"OwnershipControls": {"Rules": [pascal(given["rule"])]}}


def _bucket_policy(given: Given) -> tuple[str, dict[str, Any]]:
    policy = given["policy"]
    document = json.loads(policy) if isinstance(policy, str) else policy
    # moto takes every condition for met, and would let nobody in.
    kept = [statement for statement in document["Statement"] if "Condition" not in statement]
    if not kept:
        return "head_bucket", {}
    return "put_bucket_policy", {"Policy": json.dumps({**document, "Statement": kept})}


def _parameter(given: Given) -> Made:
    params = given.params("name", "type", "value", "description", "tier", "dataType", "keyId", "allowedPattern")
    made = api("ssm").put_parameter(**params, Tags=_pairs(given))
    _fits(given)
    name = given["name"]
    slash = "" if name.startswith("/") else "/"
    outputs = {"version": made["Version"], "arn": f"arn:aws:ssm:{region()}:123456789012:parameter{slash}{name}"}
    return Made(name, outputs)


def _fits(given: Given) -> None:
    limit = 8192 if given.get("tier") == "Advanced" else 4096
    if len(given["value"].encode()) > limit and given.get("tier") != "Intelligent-Tiering":
        raise ValueError(f"a parameter of tier {given.get('tier', 'Standard')} can have at most {limit} characters")


def _changed(given: Given) -> Mapping[str, Any]:
    _fits(given)
    params = given.params("name", "type", "value", "description", "tier", "keyId")
    return {"version": api("ssm").put_parameter(**params, Overwrite=True)["Version"]}


def _repository(given: Given) -> Made:
    params = given.params("imageTagMutability", "imageScanningConfiguration", name="repositoryName")
    params = {f"{key[0].lower()}{key[1:]}": value for key, value in params.items()}
    if "imageScanningConfiguration" in params:
        params["imageScanningConfiguration"] = given["imageScanningConfiguration"]
    if "encryptionConfigurations" in given:
        params["encryptionConfiguration"] = given["encryptionConfigurations"][0]
    made = api("ecr").create_repository(**params, tags=_pairs(given))["repository"]
    outputs = {"arn": made["repositoryArn"], "repositoryUrl": made["repositoryUri"], "registryId": made["registryId"]}
    return Made(made["repositoryName"], outputs)


def _no_repository(had: Given) -> None:
    api("ecr").delete_repository(repositoryName=had.id, force=bool(had.get("forceDelete")))


def _rules(given: Given) -> Made:
    api("ecr").put_lifecycle_policy(repositoryName=given["repository"], lifecyclePolicyText=given["policy"])
    return Made(given["repository"], {"registryId": "123456789012"})


def _no_rules(had: Given) -> None:
    api("ecr").delete_lifecycle_policy(repositoryName=had.id)


_OBJECT = Kind(
    _object,
    _no_object,
    replaces=words("bucket key"),
    updates=dict.fromkeys(words("source sourceHash content contentType"), _put_object),
    moves=words("etag versionId"),
    unmet=words("forceDestroy sourceHash"),
)

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
    "aws:s3/bucketObject:BucketObject": _OBJECT,
    "aws:s3/bucketObjectv2:BucketObjectv2": _OBJECT,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _about_bucket(_access, "delete_public_access_block"),
    "aws:s3/bucketVersioning:BucketVersioning": _about_bucket(_versioning),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _about_bucket(
        _encryption, "delete_bucket_encryption"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _about_bucket(
        _ownership, "delete_bucket_ownership_controls"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _about_bucket(_bucket_policy, "delete_bucket_policy"),
    "aws:ssm/parameter:Parameter": Kind(
        _parameter,
        lambda had: api("ssm").delete_parameter(Name=had.id),
        replaces=words("name"),
        updates=dict.fromkeys(words("description keyId tier type value"), _changed),
        moves=words("version"),
        unmet=words("overwrite"),
        autoname="name",
        unique="name",
    ),
    "aws:ecr/repository:Repository": Kind(
        _repository,
        _no_repository,
        replaces=words("encryptionConfigurations name"),
        unmet=words("forceDelete"),
        autoname="name",
        unique="name",
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Kind(_rules, _no_rules, replaces=words("policy repository")),
}
