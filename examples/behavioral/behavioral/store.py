"""A redis client that looks redis up again when the connection fails."""

import redis

from behavioral.discovery import find


class Store:
    """Runs redis commands; a call that fails is repeated once, at redis's current address."""

    def __init__(self):
        self._client = None

    def call(self, command, *args):
        """The answer of one redis command."""
        try:
            return self._ask(command, *args)
        except redis.ConnectionError:
            self._client = None
            return self._ask(command, *args)

    def _ask(self, command, *args):
        if self._client is None:
            host, port = find("redis")
            self._client = redis.Redis(host=host, port=port, socket_timeout=10, decode_responses=True)
        return self._client.execute_command(command, *args)
