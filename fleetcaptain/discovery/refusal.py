"""The words in which a lookup is refused: what there is instead, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcaptain.discovery.instances import Asker, Known, contents_of, releases_of
from fleetcaptain.discovery.values import Registration

__all__ = ["refusal"]

_DIGITS = 7  # of a content, as many as in the units' names
_SHOWN = 5


def refusal(service: str, there: Sequence[Registration], asker: Asker, known: Known) -> str:
    """Why *asker* is not given *service*; *there* are the registrations of it that it may not use."""
    tags = [manifest.tag for manifest in releases_of(asker, known)]
    who = asker.name or "a caller outside of any unit"
    release = f"release {' and '.join(tags)}" if tags else "no release yet"
    refused = f"{service} is not available to {who} ({release})"
    if there:
        shown = "; ".join(_described(entry, known) for entry in there[:_SHOWN])
        more = f"; and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        tag = tags[0] if tags else "TAG"
        return (
            f"{refused}. There is: {shown}{more}. Deploy {service} in that release too, or declare "
            f'versions=["{tag}"] where {service} is registered if it can serve it.'
        )
    draining = sum(entry.service == service for entry in known.registrations)
    if draining:
        return f"{refused}: its {draining} registered instances are all about to go. Its next generation is not up yet."
    others = sorted({entry.service for entry in known.registrations})
    registered = f"registered are {', '.join(others)}" if others else "nothing is registered"
    return (
        f"{refused}: no instance of it is registered ({registered}). Is the name right, and is it deployed and ready?"
    )


def _described(entry: Registration, known: Known) -> str:
    tags = [manifest.tag for manifest in known.manifests if entry.content in contents_of(manifest)]
    of = f"of release {', '.join(sorted(tags))}" if tags else "of no release"
    also = f", serves also {', '.join(entry.versions)}" if entry.versions else ""
    return f"{entry.unit} (content {entry.content[:_DIGITS] or 'unknown'} {of}{also})"
