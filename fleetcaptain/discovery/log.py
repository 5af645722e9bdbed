"""The logger of discovery. It escapes its messages: they quote values from etcd, and may reach a terminal."""

from __future__ import annotations

import logging

from fleetcaptain.printable import one_line

__all__ = ["log"]


def _harmless(record: logging.LogRecord) -> bool:
    record.msg, record.args = one_line(record.getMessage()), ()
    return True


log = logging.getLogger("fleetcaptain")
log.addFilter(_harmless)
