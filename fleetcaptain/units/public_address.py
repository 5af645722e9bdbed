"""The public address of an app, as the unit of its proxy says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fleetcaptain.fleetfile.public_routes import public
from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.fleetfile.values import HttpRoute, PublicRoute, Route, TcpRoute
from fleetcaptain.units.mark import SECTION
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["public_urls", "routes_of"]

_WORDS = 6
_USUAL_PORTS = {"http": 80, "https": 443}


def routes_of(file: UnitFile) -> tuple[PublicRoute, ...]:
    """The routes that *file* names to the machine agent (see `agent_settings`); none unless it is a proxy's. What is no
    route is left out, since others can write units too."""
    lines = [option for option in file.options if option.section == SECTION]
    files = [option.value.partition(" ")[0] for option in lines if option.name == "SecretFile"]
    return tuple(found for option in lines if option.name == "Route" for found in _parsed(option.value, files))


def _parsed(line: str, files: Sequence[str]) -> Iterator[PublicRoute]:
    words = line.split(" ")
    if len(words) != _WORDS:
        return
    kind, port, host, path, service, file = words
    try:
        route: Route = TcpRoute(int(port))
        if kind == "http":
            tls = None if file == "-" else files[int(file) - 1]
            route = HttpRoute(int(port), None if host == "-" else host, path, tls)
        (checked,) = public(route)
    except (ValidationError, ValueError, IndexError):
        return
    name, _, former = service.partition(",")
    yield PublicRoute(name, checked, former)


def public_urls(routes: Iterable[PublicRoute], addresses: Sequence[str]) -> dict[str, list[str]]:
    """Service -> the URLs of its *routes*: one for each of *addresses*, or with the route's host, which DNS leads to
    them."""
    urls: dict[str, list[str]] = {}
    for found in routes:
        known = urls.setdefault(found.service, [])
        known += [url for url in _urls(found.route, addresses) if url not in known]
    return urls


def _urls(route: Route, addresses: Sequence[str]) -> Iterator[str]:
    if isinstance(route, TcpRoute):
        yield from (f"tcp://{_host(address)}:{route.port}" for address in addresses)
        return
    scheme = "https" if route.tls else "http"
    path = route.path if route.path != "/" else ""
    if route.host is not None:
        port = "" if route.port == _USUAL_PORTS[scheme] else f":{route.port}"
        yield f"{scheme}://{route.host}{port}{path}"
        return
    yield from (f"{scheme}://{_host(address)}:{route.port}{path}" for address in addresses)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
