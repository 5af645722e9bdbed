"""How the program ends when something is wrong that the user has to mend."""

from __future__ import annotations

import sys
from typing import NoReturn

from components import log

__all__ = ["give_up"]

# By this status the language host knows that all has been said; after any other it adds an error of its own.
_ALL_SAID = 32


def give_up(error: Exception) -> NoReturn:
    """Say *error*, nothing else, and end the program before it declares anything more."""
    log.error(str(error))
    sys.exit(_ALL_SAID)
