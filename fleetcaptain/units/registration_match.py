"""Shell patterns that recognize a registration by the app itself under its unit's key.

Such a value begins with the machine, the owner of its lease (``app`` or ``beacon``) and the run of the unit that
registered it (systemd's INVOCATION_ID): ``{"machine":"<id>","lease":"app","run":"<id>"``. A unit's own value begins
differently, so the beginning identifies the owner. Quotes inside the value have a backslash before them in etcd's
answer, which a ``?`` matches below; those around the value have none, so a pattern matches only at its beginning.
"""

from __future__ import annotations

__all__ = ["INDEX", "registered_by_app"]

# Sets $index to the modifiedIndex in etcd's answer $found; it comes after the value.
INDEX = 'index=${found##*\\"modifiedIndex\\":}; index=${index%%,*};'


_LEASES = ("app", "beacon")


def registered_by_app(lease: str = "", run: str = "") -> str:
    """``case`` patterns that match an answer of etcd with a value that an app on the machine ``$machine`` registered.

    *lease*: only values that ``app`` or ``beacon`` renews. *run*: only values of that run of the unit; a shell word.
    """
    pattern = '*\\"value\\":\\"{' + _member("machine", "$machine")
    after = f",{_member('run', run)}*" if run else "*"
    return " | ".join(f"{pattern},{_member('lease', one)}{after}" for one in ([lease] if lease else _LEASES))


def _member(name: str, value: str) -> str:
    return f'?\\"{name}?\\":?\\"{value}?\\"'
