"""Reads the body of an HTTP answer up to a limit, so that a server cannot fill this computer's memory."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.errors import ClusterUnreachable

__all__ = ["CHUNK_BYTES", "MAX_BYTES", "read_body"]

# Far above the answers of a cluster with a hundred services, and far below a computer's memory.
MAX_BYTES = 64 * 2**20
CHUNK_BYTES = 64 * 2**10


def read_body(chunks: Iterable[bytes], what: str) -> bytes:
    """All *chunks* as one. Raises ClusterUnreachable when they exceed `MAX_BYTES`; *what* names the request."""
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise ClusterUnreachable(
                f"The answer to {what} exceeds {MAX_BYTES // 2**20} MiB and was not read. Find the keys that fill etcd "
                "on a machine of the cluster, remove them, then run the same command again."
            )
        parts.append(chunk)
    return b"".join(parts)
