"""A constant load of requests on fixed addresses, and what was lost of it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["PER_SEC", "Load", "load"]

PER_SEC = 200
_CLIENTS = 20
_TIMEOUT_SEC = 10.0
_POST_EVERY = 5


@dataclass
class Load:
    """The number of requests *answered*, and the *lost* ones: when each began (of `time.monotonic`), what, and why."""

    answered: int = 0
    lost: list[tuple[float, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _done: threading.Event = field(default_factory=threading.Event)

    def client(self, number: int, url: str, path: str) -> None:
        """One client. Every second one keeps its connection as long as the server does, the others make one for each
        request. Some send POST, which nothing in between may send twice."""
        split = urlsplit(url)
        method = "POST" if number % _POST_EVERY == 0 else "GET"
        connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=_TIMEOUT_SEC)
        due = time.monotonic() + number / PER_SEC
        while not self._done.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            # After a pause of the computer it does not make up for more than a second.
            due = max(due + _CLIENTS / PER_SEC, began - 1)
            why = ""
            try:
                connection.request(method, path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    why = f"answered {answer.status}"
            except (OSError, http.client.HTTPException) as error:
                why = repr(error)
                connection.close()
            if number % 2:
                connection.close()
            with self._lock:
                if why:
                    self.lost.append((began, f"{method} {url}{path}: {why}"))
                else:
                    self.answered += 1

    def stop(self) -> None:
        """No further request."""
        self._done.set()


@contextmanager
def load(urls: Sequence[str], path: str) -> Iterator[Load]:
    """`PER_SEC` requests a second for *path* to *urls* in turn, until the block ends."""
    found = Load()
    targets = [(number, urls[number % len(urls)], path) for number in range(_CLIENTS)]
    clients = [threading.Thread(target=found.client, args=target) for target in targets]
    for one in clients:
        one.start()
    try:
        yield found
    finally:
        found.stop()
        for one in clients:
            one.join()
