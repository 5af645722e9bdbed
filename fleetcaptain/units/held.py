"""Registrations that the app made itself, in the words of the shell lines that meet one under their unit's key.

Such a value begins with the machine and with who renews it: ``{"machine":"<id>","lease":"app"``, or ``"beacon"``. A
unit's own value begins otherwise, so one look at the beginning tells whose it is. The quotes within etcd's answer
have a backslash before them, which a ``?`` stands for below; those around the value have none, so that nothing further
inside of it is taken for its beginning.
"""

from __future__ import annotations

__all__ = ["INDEX", "held"]

# Sets $index to the modifiedIndex in etcd's answer $found; it stands behind the value.
INDEX = 'index=${found##*\\"modifiedIndex\\":}; index=${index%%,*};'


def held(lease: str = "", content: str = "") -> str:
    """A ``case`` pattern: an answer of etcd with a value that an app on the machine ``$machine`` made.

    *lease*: only what ``app`` or ``beacon`` renews. *content*: only what carries it; a shell word.
    """
    pattern = f'*\\"value\\":\\"{{{_quoted("machine")}:{_quoted("$machine")},{_quoted("lease")}:?\\"{lease}*'
    return f"{pattern},{_quoted('content')}:{_quoted(content)}*" if content else pattern


def _quoted(text: str) -> str:
    return f'?\\"{text}?\\"'
