"""From a machine's definition to the user data that it boots from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import pulumi
import pulumi_aws as aws

from components.cluster.aws.binaries import Bucket
from components.cluster.aws.members import Door
from components.cluster.aws.plan import Place
from components.cluster.aws.scope import Scope
from components.cluster.aws.settings import Settings
from components.cluster.aws.userdata import Surroundings, checked, fits, member, pointer, worker

__all__ = ["Boot"]

_Definition = tuple[pulumi.Output[str], tuple[pulumi.Resource, ...]]
# As long as they can be: what is not known yet must not decide which way a definition goes.
_LONGEST_BUCKET, _LONGEST_OWN, _LONGEST_REGISTRY = "b" * 63, ("vol-" + "0" * 17, "255.255.255.255"), "r" * 80


class Boot:
    """Gives each machine its user data, and what has to be in the bucket before that can be read."""

    def __init__(
        self,
        scope: Scope,
        settings: Settings,
        members: Sequence[Place],
        bucket: Bucket,
        *,
        registry: pulumi.Input[str],
        programs: Mapping[str, str],
    ) -> None:
        self._scope, self._settings, self._members, self._bucket = scope, settings, members, bucket
        region, token = aws.get_region().region, scope.identity.replace("/", "-")
        self._draft = Surroundings(region, _LONGEST_BUCKET, programs, _LONGEST_REGISTRY, token)
        self._around = pulumi.Output.all(bucket.name, registry).apply(
            lambda known: Surroundings(region, known[0], programs, known[1], token)
        )

    def member(self, place: Place, door: Door) -> _Definition:
        """For the member at *place*."""

        def define(around: Surroundings, own: tuple[str, str]) -> str:
            return member(self._settings, self._members, place, around, own)

        known = pulumi.Output.all(self._around, door.volume_id, door.public)
        definition = known.apply(lambda all_: define(all_[0], (all_[1], all_[2])))
        return self._carried(place.name, definition, lambda: define(self._draft, _LONGEST_OWN))

    def worker(self) -> _Definition:
        """For every worker."""
        definition = self._around.apply(lambda around: worker(self._settings, self._members, around))
        return self._carried("worker", definition, lambda: worker(self._settings, self._members, self._draft))

    def _carried(self, part: str, definition: pulumi.Output[str], longest: Callable[[], str]) -> _Definition:
        if fits(longest()):
            return definition.apply(checked), ()
        key = definition.apply(lambda text: f"config/{part}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json")
        put = aws.s3.BucketObjectv2(
            self._scope.named(f"{part}-config"),
            bucket=self._bucket.name,
            key=key,
            content=definition,
            content_type="application/json",
            opts=self._scope.child(depends_on=[*self._bucket.before_machines]),
        )
        known = pulumi.Output.all(self._bucket.name, key, definition)
        return known.apply(lambda all_: checked(pointer(all_[0], all_[1], all_[2]))), (put,)
