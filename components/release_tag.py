"""The tag of the release that a plan deploys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.deployment_plan import Plan
from components.engine.abort import abort
from fleetcaptain.discovery.keys import release_key
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.release.release_name import Naming
from fleetcaptain.release.repository import manifest_of

__all__ = ["release_tag"]


def release_tag(plan: Plan, app: str, connection: pulumi.Output[Mapping[str, Any]]) -> pulumi.Output[str]:
    """The tag: known at once if it was given, else with the contents of *plan*. A preview that does not know these yet
    takes the commit's name. Ends the program if etcd does not answer."""
    name = plan.name
    if name.naming is Naming.GIVEN:
        return pulumi.Output.from_input(name.base)

    def chosen(known: Sequence[Any]) -> str:
        where, entries = known
        contents = {service: entry.unit_hash for service, entry in entries.items()}
        tags = (name.base, name.with_hash(contents)) if name.exact else ()
        return name.tag(contents, _available(where, app, tags))

    tag = pulumi.Output.all(connection, plan.entries).apply(chosen)
    if not name.exact:
        return tag
    return tag.apply(lambda found: found if isinstance(found, str) else name.base, run_with_unknowns=True)


def _available(where: Mapping[str, Any], app: str, tags: Sequence[str]) -> dict[str, dict[str, str]]:
    """Those of *tags* that were available once -> their contents."""
    handle = handle_of(where)
    if not tags or handle.presence() is not Presence.THERE:
        return {}
    try:
        store = handle.connect(app).store
        found = {tag: manifest_of(store.read(release_key(app, tag))) for tag in tags}
    except FleetCaptainError as error:
        abort(error)
    return {tag: one.unit_hashes for tag, one in found.items() if one is not None and not one.unfinished}
