"""Policies of Data Lifecycle Manager, which moto does not have: nothing is asked, and only the role has to exist."""

from __future__ import annotations

import zlib

from tests.fakes.plugins.aws.aws_api import api, arn
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, nothing, words

__all__ = ["KINDS"]


def _policy(given: Given) -> Made:
    api("iam").get_role(RoleName=given["executionRoleArn"].rpartition("/")[2])
    id_ = f"policy-{zlib.crc32(given['description'].encode()):017x}"
    return Made(id_, {"arn": arn("dlm", f"policy/{id_}")})


KINDS = {
    "aws:dlm/lifecyclePolicy:LifecyclePolicy": Kind(
        _policy,
        nothing,
        replaces=words("defaultPolicy"),
        unmet=words("description policyDetails state tags"),
    )
}
