"""Which call of fleet's API a request is: api/mux.go, path.go, units.go, state.go and machines.go of fleet 1.0.0.

Not pretended: PATCH /machines and /discovery, which the client does not use; they answer 501.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.fakes.fleet.fake_fleet import Cluster
from tests.fakes.fleet.lists import LISTS, page, states, unit
from tests.fakes.fleet.put import existing, put
from tests.fakes.fleet.replies import Panic, Refusal, Reply, Request

__all__ = ["answer"]

_PREFIXES = ("/fleet/v1/", "/v1-alpha/")
_NOT_PRETENDED = 501


def answer(cluster: Cluster, request: Request) -> Reply:
    """What fleetd answers, after its effect on *cluster*. Raises `Panic`."""
    try:
        return _route(cluster, request)
    except Refusal as refusal:
        return refusal.reply


def _route(cluster: Cluster, request: Request) -> Reply:
    prefix = next((prefix for prefix in _PREFIXES if request.path.startswith(prefix)), "//")
    kind, slash, name = request.path.removeprefix(prefix).partition("/")
    if kind == "discovery" or (kind == "machines" and request.method == "PATCH"):
        raise Refusal(_NOT_PRETENDED)
    if kind not in LISTS or (slash and (not name or "/" in name or kind == "machines")):
        raise Refusal(404)
    if slash:
        return _one(cluster, request, kind, name)
    if request.method != "GET":
        raise Refusal(405, "only GET supported against this resource")
    return page(cluster, request, kind)


def _one(cluster: Cluster, request: Request, kind: str, name: str) -> Reply:
    call = _CALLS.get((kind, request.method))
    if call is None:
        raise Refusal(405, f"{request.method} is not supported against this resource")
    return call(cluster, request, name)


def _get(cluster: Cluster, _request: Request, name: str) -> Reply:
    return Reply(200, unit(cluster, existing(cluster, name)))


def _delete(cluster: Cluster, _request: Request, name: str) -> Reply:
    del cluster.units[existing(cluster, name)]
    return Reply(204)


def _state(cluster: Cluster, _request: Request, name: str) -> Reply:
    found = states(cluster, {"unitName": [name]})
    if not found:
        raise Panic
    return Reply(200, found[0])


_CALLS: Mapping[tuple[str, str], Callable[[Cluster, Request, str], Reply]] = {
    ("units", "GET"): _get,
    ("units", "PUT"): put,
    ("units", "DELETE"): _delete,
    ("state", "GET"): _state,
}
