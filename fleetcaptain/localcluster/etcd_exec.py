"""Requests to etcd from within a machine of a local cluster, with superuser rights."""

from __future__ import annotations

from typing import Any

from fleetcaptain.fleet.ssh import PASSWORD_FILE
from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.machine.etcd_units import ROOT_SOCKET

__all__ = ["exec_request"]

_TRIES = 3

# A machine from an earlier version has no such socket, and a password exists only after `captain secure`.
_CURL = f"""\
[ ! -S {ROOT_SOCKET} ] || set -- --unix-socket {ROOT_SOCKET} "$@"
[ -r {PASSWORD_FILE} ] || exec curl "$@"
printf 'user = "root:%s"\\n' "$(cat {PASSWORD_FILE})" | curl -K - "$@"
"""
_ETCD = "http://127.0.0.1:2379"


def exec_request(container: Any, method: str, path: str, body: str = "") -> tuple[int, str]:
    """Send a request with a JSON *body*. Returns the answer's status, 0 without an answer, and its text. A request that
    only reads is tried again: on a busy computer docker may lose what a short command prints."""
    options = ["--silent", "--max-time", "5", "--write-out", r"\n%{http_code}", "-X", method, "-d", body]
    status = text = ""
    for _ in range(_TRIES if method == "GET" else 1):
        _, output = exec_in(
            container, "sh", "-c", _CURL, "sh", *options, "-H", "Content-Type: application/json", f"{_ETCD}{path}"
        )
        text, _, status = output.rpartition("\n")
        if status.isdecimal() and int(status):
            return int(status), text
    return 0, text
