"""What a unit's text says of a secret's value. Pure."""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["secret_digest"]

_CHARS = 32


def secret_digest(key: bytes, app: str, name: str, value: str) -> str:
    """The HMAC-SHA256 of the secret *name* of *app*, in hex, cut to 128 bits.

    A plain hash would do for comparing, but unit texts can be read by all, and a short value would be guessed. *key* is
    derived from the machines' key, see `fleetcaptain.machine.secrets_key`.
    """
    message = "\0".join(("fleetcaptain secret", app, name, value)).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:_CHARS]
