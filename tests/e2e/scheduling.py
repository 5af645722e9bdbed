"""Which worker runs which tests."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

from tests.e2e.shards import group_of

__all__ = ["Groups"]


# xdist ships no types.
class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker whole groups (see `group_of`)."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
