"""``PUT /units/{name}``: ``set`` in api/units.go of fleet 1.0.0."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fleetcaptain.units.unit_text import Option
from tests.fakes.fleet.fake_fleet import STATES, Cluster
from tests.fakes.fleet.replies import Panic, Refusal, Reply, Request
from tests.fakes.fleet.rules import content_of, is_template, name_problem, options_problem

__all__ = ["existing", "put"]


def put(cluster: Cluster, request: Request, name: str) -> Reply:
    """Create, replace, or set the desired state. Raises `Refusal` and `Panic`."""
    body = _body(request)
    options, desired = _options(body), body.get("desiredState") or ""
    given = body.get("name") or name
    if given != name:
        raise Refusal(400, f'name in URL "{name}" differs from unit name in request body "{given}"')
    if problem := name_problem(name):
        raise Refusal(400, problem)
    if name not in cluster.units:
        if not options:
            raise Refusal(409, "unit does not exist and options field empty")
        if problem := options_problem(options):
            raise Refusal(400, problem)
        return _store(cluster, name, options, desired)
    old = cluster.units[existing(cluster, name)]
    # A text that replaces another is not checked.
    if options and content_of(options) != content_of(old.options):
        return _store(cluster, name, options, desired)
    if not desired:
        raise Refusal(409, "must provide DesiredState to update existing unit")
    if is_template(name) and desired != "inactive":
        raise Refusal(400, f'cannot activate template "{name}"')
    # Any word is kept; one that is none of the three makes the unit unreadable from now on.
    old.desired = desired
    return Reply(204)


def existing(cluster: Cluster, name: str) -> str:
    """*name*, if there is such a unit and fleet can read it. Raises `Refusal`."""
    if name not in cluster.units:
        raise Refusal(404, "unit does not exist")
    if cluster.units[name].desired not in STATES:
        raise Refusal(500)
    return name


def _store(cluster: Cluster, name: str, options: Sequence[Option], desired: str) -> Reply:
    if desired and desired not in STATES:
        raise Refusal(500)
    # A desired state that is not given becomes inactive, also where the old one was not.
    cluster.store(name, options, desired or "inactive")
    return Reply(201)


def _body(request: Request) -> Mapping[str, Any]:
    if len(request.content_types) != 1:
        raise Refusal(415, f"expected 1 Content-Type, got {len(request.content_types)}")
    if request.content_types[0].partition(";")[0].strip() != "application/json":
        raise Refusal(415, "only acceptable Content-Type is application/json")
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise Refusal(400, f"unable to decode body: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "unable to decode body: not an object")
    return body


def _options(body: Mapping[str, Any]) -> tuple[Option, ...]:
    entries = body.get("options") or []
    if None in entries:
        raise Panic
    return tuple(Option(*(entry.get(key, "") for key in ("section", "name", "value"))) for entry in entries)
