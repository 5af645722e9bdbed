"""The database's client."""

import json
import os
import time
import urllib.request

import redis

_TRIES = 5


class Database:
    """Finds the database by discovery, again when a connection fails."""

    def __init__(self):
        self._client = None

    def call(self, *command):
        """The answer to a command of redis. One that fails is sent once more, at the database's current address."""
        try:
            return self._send(*command)
        except redis.ConnectionError:
            self._client = None
            return self._send(*command)

    def _send(self, *command):
        if self._client is None:
            host, port = find("db")
            password = os.environ["DB_PASSWORD"]
            self._client = redis.Redis(host, port, password=password, socket_timeout=10, decode_responses=True)
        return self._client.execute_command(*command)


def find(service):
    """The host and port of *service*. Raises LookupError after some seconds without one."""
    url = f"{os.environ['FLEETCAPTAIN_ETCD']}/v2/keys/fleetcaptain/{os.environ['FLEETCAPTAIN_APP']}/services/{service}"
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                nodes = json.load(answer)["node"].get("nodes", [])
        except OSError:
            nodes = []
        for registration in (json.loads(node["value"]) for node in nodes):
            if not registration.get("draining"):
                return registration["connection"]["host"], int(registration["connection"]["port"])
        time.sleep(1)
    raise LookupError(f"no instance of {service} is registered")
