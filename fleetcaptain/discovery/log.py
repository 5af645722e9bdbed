"""What discovery logs: an app's own log may be on a terminal, and what others wrote into etcd is in it."""

from __future__ import annotations

import logging

from fleetcaptain.printable import one_line

__all__ = ["log"]


def _harmless(record: logging.LogRecord) -> bool:
    record.msg, record.args = one_line(record.getMessage()), ()
    return True


log = logging.getLogger("fleetcaptain")
log.addFilter(_harmless)
