"""The routes of an app's public address: what ``public=`` accepts, and their order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from fleetcaptain.fleetfile.letters import word
from fleetcaptain.fleetfile.nested_values import check_port
from fleetcaptain.fleetfile.ports import FREE_PORTS
from fleetcaptain.fleetfile.secret_specs import secret_name
from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import App, Http, HttpRoute, PublicRoute, Route, ServiceSpec, TcpRoute

__all__ = ["impossible_routes", "public", "public_routes", "taken_ports"]

# Hosts and paths become words of the proxy's configuration, in which blanks, quotes, "#" and "\" have a meaning.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_PATH = re.compile(r"(?=.{1,500}\Z)(?:/|(?:/[A-Za-z0-9._~-]+)+)")


def public(value: Any) -> tuple[Route, ...]:
    """The routes in *value*: a port, a route, or a list of them. Raises `ValidationError`."""
    if value is None:
        return ()
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    routes = tuple(map(_route, entries))
    for route in routes:
        if routes.count(route) > 1:
            raise ValidationError(f"{represented(route)} is given twice; remove one")
    return routes


def public_routes(app: App) -> tuple[PublicRoute, ...]:
    """The routes to all services of *app* in the order of matching: for each port routes with a host before those for
    any, and longer paths before shorter ones."""
    routes = (PublicRoute(spec.name, route, spec.renamed_from or "") for spec in app.services for route in spec.public)
    return tuple(sorted(routes, key=_precedence))


def impossible_routes(app: App) -> Iterator[tuple[str, str]]:
    """Routes of *app* that cannot share their port, or whose service does not speak what they are for: (service,
    message)."""
    routes, specs = public_routes(app), {spec.name: spec for spec in app.services}
    for public in routes:
        if isinstance(public.route, HttpRoute) and _speaks_https(specs[public.service]):
            yield (
                public.service,
                f"port {public.route.port}: the proxy sends plain HTTP, and ready= says that the service speaks HTTPS; "
                f"write TcpRoute({public.route.port}), or leave TLS to the proxy: HttpRoute(..., tls=) and plain HTTP",
            )
        others = [other.route for other in routes if other is not public and other.route.port == public.route.port]
        if what := _collision(public.route, others):
            yield public.service, f"port {public.route.port}: {what}"


def _speaks_https(spec: ServiceSpec) -> bool:
    """Whether *spec* says that it does, on the first of its ports."""
    ready = spec.ready
    return (
        isinstance(ready, Http) and ready.https and bool(spec.ports) and ready.port in {None, spec.ports[0].container}
    )


def _collision(route: Route, others: Sequence[Route]) -> str:
    """Why *route* cannot share its port with *others*; "" if it can."""
    http = [other for other in others if isinstance(other, HttpRoute)]
    if isinstance(route, TcpRoute) or len(http) < len(others):
        return "a TcpRoute must be the only route of its port; choose another port" if others else ""
    if any((other.host, other.path) == (route.host, route.path) for other in http):
        return "another route has the same host and path; change one of them, or choose another port"
    if any((other.tls is None) != (route.tls is None) for other in http):
        return "its routes must all have tls=, or none; change them, or choose another port"
    return ""


def taken_ports(app: App) -> Iterator[tuple[str, str]]:
    """Routes of *app* whose port a container publishes, or may publish, on a machine: (service, message). The proxy
    listens on it on every machine."""
    for public in public_routes(app):
        port = public.route.port
        users = [spec.name for spec in app.containers if any(port in found for found in _on_machine(spec))]
        least, greatest = FREE_PORTS
        if users:
            what = f"port {port} of the machines is in ports= of {', '.join(users)}"
            yield public.service, f"{what}; choose another public port, or other ports= there"
        elif least <= port <= greatest and (users := [spec.name for spec in app.containers if _leaves_to_docker(spec)]):
            what = f"port {port} is one of {least} to {greatest}, of which docker chooses ports for {', '.join(users)}"
            yield public.service, f"{what}; choose a public port below {least}"


def _on_machine(spec: ServiceSpec) -> Iterator[range]:
    """The TCP ports of a machine that *spec* names."""
    for port in spec.ports:
        if port.protocol == "tcp" and (port.host is not None or spec.start is not None):
            first = port.host or port.container
            yield range(first, (port.host_last or first) + 1)


def _leaves_to_docker(spec: ServiceSpec) -> bool:
    """Whether docker chooses a TCP port of the machine for *spec*."""
    return spec.start is None and any(port.protocol == "tcp" and port.host is None for port in spec.ports)


def _precedence(public: PublicRoute) -> tuple[int, bool, str, int, str]:
    match public.route:
        case HttpRoute(port, host, path):
            return (port, host is None, host or "", -len(path), path)
        case TcpRoute(port):
            return (port, True, "", 0, "")


def _route(value: Any) -> Route:
    match value:
        case HttpRoute():
            return _http(value)
        case TcpRoute(port):
            _check_port(port)
            return value
        case int() if not isinstance(value, bool):
            _check_port(value)
            return HttpRoute(int(value))
        case _:
            raise ValidationError(
                "must be a port such as 8080, HttpRoute(...), TcpRoute(...) or a list of them, not "
                f"{represented(value)}"
            )


def _check_port(port: Any) -> None:
    if port is None:
        raise ValidationError("a route must have a port, such as HttpRoute(8080)")
    check_port(port)


def _http(value: HttpRoute) -> HttpRoute:
    _check_port(value.port)
    host = value.host if value.host is None else word(value.host).lower()
    if host is not None and not _HOST.fullmatch(host):
        raise ValidationError(
            f'HttpRoute(host={represented(value.host)}): must be a full name such as "shop.example.org"; '
            "wildcards and ports are not allowed here"
        )
    path = word(value.path)
    if not _PATH.fullmatch(path):
        raise ValidationError(
            f'HttpRoute(path={represented(value.path)}): must be "/", or begin with "/", end without one, and have '
            'letters, digits, ".", "_", "~" and "-" between them, such as "/api"'
        )
    return replace(value, host=host, path=path, tls=value.tls if value.tls is None else _certificate(value.tls))


def _certificate(tls: Any) -> str:
    try:
        return secret_name(tls)
    except ValidationError as error:
        # It may be the certificate: no message shows it.
        raise ValidationError('HttpRoute(tls=...): must be the name of a secret, such as "SHOP_PEM"') from error
