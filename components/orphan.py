"""Ends a provider's process when the engine that started it is gone: killed engines leave their plugins behind."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

__all__ = ["answers", "end_with", "wait_for_end"]

_PERIOD_SEC = 1.0
_TRIES = 3
# What is under way may end its present step, at the longest so many seconds.
_LAST_STEP_SEC = 120.0


def end_with(engine: str, stop: Callable[[], None], busy: Callable[[], bool]) -> None:
    """Watch the engine at *engine* (``host:port``). When it is gone, call *stop*, wait until nothing is *busy*, and end
    this process."""

    def watch() -> None:
        wait_for_end(lambda: answers(engine), stop, busy)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="orphan-watch").start()


def wait_for_end(
    there: Callable[[], bool],
    stop: Callable[[], None],
    busy: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the engine was not *there* three times running, *stop* was called and nothing is *busy* any more."""
    missed = 0
    while missed < _TRIES:
        sleep(_PERIOD_SEC)
        missed = 0 if there() else missed + 1
    stop()
    waited = 0.0
    while busy() and waited < _LAST_STEP_SEC:
        sleep(_PERIOD_SEC)
        waited += _PERIOD_SEC


def answers(address: str) -> bool:
    """Whether somebody listens at *address*. Only a refused connection says that nobody does."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
