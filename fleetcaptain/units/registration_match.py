"""Registrations that the app made itself, in the words of the shell lines that meet one under their unit's key.

Such a value begins with the machine, with who renews it (``app`` or ``beacon``), and with the run of the unit in which
it was made (systemd's INVOCATION_ID): ``{"machine":"<id>","lease":"app","run":"<id>"``. A unit's own value begins
otherwise, so one look at the beginning tells whose it is. The quotes within etcd's answer have a backslash before them,
which a ``?`` stands for below; those around the value have none, so that nothing further inside is taken for its
beginning.
"""

from __future__ import annotations

__all__ = ["INDEX", "held"]

# Sets $index to the modifiedIndex in etcd's answer $found; it stands behind the value.
INDEX = 'index=${found##*\\"modifiedIndex\\":}; index=${index%%,*};'


_LEASES = ("app", "beacon")


def held(lease: str = "", run: str = "") -> str:
    """``case`` patterns: an answer of etcd with a value that an app on the machine ``$machine`` made.

    *lease*: only what ``app`` or ``beacon`` renews. *run*: only what was made in that run of the unit; a shell word.
    """
    pattern = '*\\"value\\":\\"{' + _member("machine", "$machine")
    after = f",{_member('run', run)}*" if run else "*"
    return " | ".join(f"{pattern},{_member('lease', one)}{after}" for one in ([lease] if lease else _LEASES))


def _member(name: str, value: str) -> str:
    return f'?\\"{name}?\\":?\\"{value}?\\"'
