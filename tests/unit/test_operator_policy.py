"""The IAM policy of an operator: its form, and that it gives no more than its purposes need."""

from __future__ import annotations

import json
import re

import pytest

from fleetcaptain.cli import main
from fleetcaptain.operator_policy import GRANTS, MOST_CHARACTERS, operator_policy

_ACTION = re.compile(r"(autoscaling|dlm|ec2|ecr|elasticloadbalancing|iam|s3|servicequotas|ssm|sts):[A-Za-z*]+")


def test_it_is_one_managed_policy() -> None:
    """AWS does not count white space, and refuses a second statement with the same name."""
    policy = operator_policy("ap-southeast-1", "123456789012")
    assert len(re.sub(r"\s", "", json.dumps(policy))) <= MOST_CHARACTERS
    names = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9]+", name) for name in names)


def test_each_action_is_granted_once() -> None:
    """Each names its service; a whole service is granted to no one."""
    actions = [action for grant in GRANTS for action in grant.actions.split()]
    assert all(_ACTION.fullmatch(action) and not action.endswith(":*") for action in actions), actions
    assert len(set(actions)) == len(actions)


def test_what_has_a_name_beforehand_is_granted_by_its_name() -> None:
    """Only EC2, Auto Scaling and the balancer are without: in one region. Who deploys is not an administrator."""
    for grant, statement in zip(GRANTS, operator_policy("eu-west-1", "123456789012")["Statement"], strict=True):
        services = {action.partition(":")[0] for action in grant.actions.split()}
        if statement["Resource"] == "*":
            assert not services & {"iam", "s3", "ssm"}, grant.name
            is_regional = statement.get("Condition") == {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
            assert is_regional or services == {"sts", "ecr"}, grant.name
    by_name = {statement["Sid"]: statement for statement in operator_policy()["Statement"]}
    assert by_name["PassRoles"]["Condition"]["StringEquals"]["iam:PassedToService"]
    assert by_name["OwnSessions"]["Resource"] == [
        f"arn:aws:ssm:*:*:session/${{aws:{who}}}-*" for who in ("username", "userid")
    ]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, for the region and the account that are named."""
    assert main(["aws-policy", "--region", "eu-west-1", "--account", "123456789012"]) == 0
    assert json.loads(capsys.readouterr().out) == operator_policy("eu-west-1", "123456789012")


@pytest.mark.parametrize("options", [["--region", "Ireland"], ["--account", "1"]])
def test_a_region_or_account_that_cannot_be_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is printed but why."""
    assert main(["aws-policy", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert options[0] in captured.err
