"""Repositories of images."""

from __future__ import annotations

from tests.fakes.plugins.aws.aws_api import ACCOUNT, api
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


def _repository(given: Given) -> Made:
    params = given.params("imageTagMutability", "imageScanningConfiguration", name="repositoryName")
    params = {f"{key[0].lower()}{key[1:]}": value for key, value in params.items()}
    if "imageScanningConfiguration" in params:
        params["imageScanningConfiguration"] = given["imageScanningConfiguration"]
    if "encryptionConfigurations" in given:
        params["encryptionConfiguration"] = given["encryptionConfigurations"][0]
    made = api("ecr").create_repository(**params, tags=given.pairs())["repository"]
    outputs = {"arn": made["repositoryArn"], "repositoryUrl": made["repositoryUri"], "registryId": made["registryId"]}
    return Made(made["repositoryName"], outputs)


def _no_repository(had: Given) -> None:
    api("ecr").delete_repository(repositoryName=had.id, force=bool(had.get("forceDelete")))


def _rules(given: Given) -> Made:
    api("ecr").put_lifecycle_policy(repositoryName=given["repository"], lifecyclePolicyText=given["policy"])
    return Made(given["repository"], {"registryId": ACCOUNT})


def _no_rules(had: Given) -> None:
    api("ecr").delete_lifecycle_policy(repositoryName=had.id)


KINDS = {
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
