"""The operator's policy allows what the scenario's calls need. moto itself enforces no policy."""

from __future__ import annotations

from fnmatch import fnmatchcase

from fleetcaptain.operator_policy import GRANTS
from tests.local.aws.scenario import Story

_SERVICES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
# Where the name of S3's action is not that of the call.
_S3 = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "DeleteObjects": "DeleteObject",
    "HeadObject": "GetObject",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "ListObjectVersions": "ListBucketVersions",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}


def _action(call: str) -> str:
    service, _, operation = call.partition(":")
    return f"{_SERVICES.get(service, service)}:{_S3.get(operation, operation) if service == 's3' else operation}"


def test_each_call_of_the_scenario_is_allowed(story: Story) -> None:
    """Also those of the destroy. The real plugin reads more: the policy allows to describe all of EC2, Auto Scaling and
    the balancer, and to read the bucket's settings."""
    allowed = [action for grant in GRANTS for action in grant.actions.split()]
    needed = {_action(call) for call in story.calls}
    assert len(needed) > 70
    assert sorted(one for one in needed if not any(fnmatchcase(one, action) for action in allowed)) == []
