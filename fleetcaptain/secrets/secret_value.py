"""Which values a secret may have. Pure."""

from __future__ import annotations

import re

__all__ = ["LONGEST_BYTES", "value_mistake"]

LONGEST_BYTES = 64 * 2**10
"""The longest value. Linux limits one variable to 128 KiB, and etcd a request to 1 MiB."""

# systemd leaves out a variable with any other control character.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_REPLACED = "\ufffd"


def value_mistake(value: str) -> str:
    """Why *value* cannot be the value of a secret, without any part of it; "" if it can.

    A secret may be a variable of one service and a file of another, so one rule holds for both: text without control
    characters except tab and line end. Binary files are given in base64.
    """
    if not value:
        return "it is empty"
    length = len(value.encode(errors="surrogatepass"))
    if length > LONGEST_BYTES:
        return f"it has {length} bytes, and at most {LONGEST_BYTES} are possible"
    if _REPLACED in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        return "it is not UTF-8; set it in base64, and write SecretFile(..., base64=True)"
    if _CONTROL.search(value):
        return (
            "it has a control character, such as the carriage return of a Windows line end; remove it, or set the "
            "value in base64, and write SecretFile(..., base64=True)"
        )
    return ""
