"""What a change of the settings replaces, what it changes in place, and what it leaves alone: the engine's events."""

from __future__ import annotations

import pytest

from tests.local.aws.scenario import ADDRESSES, Story

_M2 = ("Instance cluster-m2", "TargetGroupAttachment cluster-proxies-80-m2", "VolumeAttachment cluster-m2")


def test_another_network_is_refused(story: Story) -> None:
    """By the state of the real engine, before anything is declared."""
    assert story.moved.code != 0
    (error,) = story.moved.errors
    assert "fleetcaptain:network: the cluster has 10.71.0.0/16, not 10.72.0.0/16" in error
    assert story.moved.did("replace") == story.moved.did("delete") == []


def test_no_change_of_the_machines_replaces_anything(story: Story) -> None:
    """Another size, type, image, key pair and way in, all at once: members would stop together, and etcd with them."""
    assert story.changed.code == 0, story.changed.output
    assert story.changed.did("replace", "delete-replaced", "create-replacement") == []
    assert not [
        what for what in story.changed.did() if what.startswith(("Instance", "Volume", "NetworkInterface", "Eip"))
    ]


def test_workers_get_the_new_type_image_and_key_from_their_template(story: Story) -> None:
    """A new version of it, and the group is told which; the group then brings it to one machine after the other."""
    template = story.changed.step("LaunchTemplate cluster-worker", "update")
    assert template.changed == {"imageId", "instanceType", "keyName"}
    group = story.changed.step("Group cluster-workers", "update")
    assert group.changed == {"desiredCapacity", "launchTemplate.version", "maxSize", "minSize"}


def test_ssh_opens_by_a_rule_of_its_own(story: Story) -> None:
    """And Systems Manager is not let in any more."""
    assert story.changed.did("create") == [
        "SecurityGroupIngressRule cluster-ssh-198.51.100.7-32",
        "SecurityGroupIngressRule cluster-ssh-203.0.113.0-24",
    ]
    assert [what for what in story.changed.did("delete") if "windows" not in what] == []
    assert story.changed.step("RolePolicy cluster-members", "update").changed == {"policy"}


def test_another_way_in_touches_no_unit(story: Story) -> None:
    """It is written down with each unit, and that is all that is done to it. Its windows are no part of its text."""
    for service, more in {"web": {"windows"}, "api": set(), "redis": set()}.items():
        changed = story.changed.step(f"Unit {service}", "update").changed
        assert {path for path in changed if path.partition(".")[0] != "cluster"} == more


@pytest.mark.parametrize("name", ["made", "again", "corrected", "changed", "opened", "revived", "renewed"])
def test_a_preview_announces_what_its_update_does(story: Story, name: str) -> None:
    """Neither fails; and no step of an update comes as a surprise, whether ssh works at that moment or not."""
    update = story.updates[name]
    assert update.preview is not None
    assert update.preview.code == 0, update.preview.output
    assert update.code == 0, update.output
    assert update.preview.did() == update.did()


def test_every_update_has_its_preview_asserted(story: Story) -> None:
    """A new update of the scenario joins the list above."""
    assert set(story.updates) == {"made", "again", "corrected", "changed", "opened", "revived", "renewed"}


def test_an_update_opens_ssh_for_another_address_without_ssh(story: Story) -> None:
    """Nothing answered when it began: the operator has another address, and a rule was removed by hand. The rule that
    stays is made again, because its removal is seen."""
    assert story.opened.did("create") == [
        "SecurityGroupIngressRule cluster-ssh-192.0.2.0-24",
        "SecurityGroupIngressRule cluster-ssh-203.0.113.0-24",
    ]
    assert story.opened.did("delete") == ["SecurityGroupIngressRule cluster-ssh-198.51.100.7-32"]
    assert story.opened.did("replace") == []


def test_terminated_members_come_back_with_their_data(story: Story) -> None:
    """Instances are made again, on the same interfaces and with the same volumes; nothing else is."""
    made = {what.partition(" ")[0] for what in story.revived.did("create")}
    assert story.revived.did("create")[:3] == [f"Instance cluster-{member}" for member in ADDRESSES]
    assert made <= {"Instance", "VolumeAttachment", "TargetGroupAttachment"}
    assert not [what for what in story.revived.did("delete", "replace") if what.startswith(("Volume ", "NetworkInter"))]
    volumes = {one["VolumeId"]: one for one in story.found.volumes}
    for volume in story.fixed.volumes:
        if volume["VolumeId"] in volumes and "etcd" in str(volume.get("Tags")):
            (attached,) = volumes[volume["VolumeId"]]["Attachments"]
            assert attached["InstanceId"] in {one["InstanceId"] for one in story.found.instances}


def test_a_member_is_not_replaced_while_another_one_is_away(story: Story) -> None:
    """The preview asks them all, and says which one does not answer."""
    assert story.sick.code != 0
    (error,) = story.sick.errors
    assert "Cannot replace m2 now" in error
    assert "m3 " in error
    assert "m1 " not in error
    assert story.sick.did("replace") == []


def test_one_member_is_replaced_and_keeps_address_and_volume(story: Story) -> None:
    """Only the machine itself and what is fastened to it; interface, volume and elastic IP stay."""
    assert story.renewed.code == 0, story.renewed.output
    assert story.renewed.did("replace") == sorted(_M2)
    assert story.renewed.did("create", "delete") == []
    assert story.renewed.did("update") == ["ClusterReady cluster"]
    forced = story.renewed.step("Instance cluster-m2", "replace").forced
    assert {"ami", "keyName"} <= forced


def test_the_old_machine_is_gone_before_the_new_one_comes(story: Story) -> None:
    """Its interface and volume are free only then; and it lets go of the volume before it ends."""
    volume, machine = (story.renewed.step(what, "delete-replaced") for what in (_M2[2], _M2[0]))
    new, fastened = (story.renewed.step(what, "create-replacement") for what in (_M2[0], _M2[2]))
    assert volume.ended < machine.began
    assert machine.ended < new.began
    assert new.ended < fastened.began


def test_etcds_volumes_survive_a_destroy_by_mistake(story: Story) -> None:
    """Its preview refuses, so nothing at all is deleted: the stack still answers after it."""
    assert story.kept.code != 0
    for member in ADDRESSES:
        assert any(f"cluster-{member}-etcd" in error and "protected" in error for error in story.kept.errors), member


def test_a_destroy_leaves_nothing(story: Story) -> None:
    """In an order that AWS accepts: a group after the rules that name it, a subnet after all that is in it."""
    assert story.ended.code == 0, story.ended.output
    assert story.left.empty, story.left
