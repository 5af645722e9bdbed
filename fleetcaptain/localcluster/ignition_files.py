"""The local carrier of Ignition: from a machine's JSON to the files that are put into its container. Pure.

It understands exactly what `fleetcaptain.machine` renders, and refuses the rest: a file that is silently missing would
make a machine that differs from the one on AWS.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.units.unit_text import parse

__all__ = ["Entry", "archive", "entries"]

_UNITS = "/etc/systemd/system"
_KNOWN = {
    "": {"ignition", "passwd", "storage", "systemd"},
    "storage": {"files"},
    "systemd": {"units"},
    "passwd": {"users"},
}


@dataclass(frozen=True)
class Entry:
    """A file at *path*, or a symbolic link there when *target* is set."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    target: str = ""
    owner: str = "root"


def entries(config: Mapping[str, Any], sources: Mapping[str, bytes]) -> tuple[Entry, ...]:
    """The files and links of *config*; *sources* holds what its URLs would fetch. Users and their groups are the
    image's own, as on Flatcar; only their keys come from here.

    Raises FleetCaptainError for what it does not understand, and for a source whose hash is not the one named.
    """
    for part, known in _KNOWN.items():
        odd = set(config.get(part, {}) if part else config) - known
        if odd:
            raise FleetCaptainError(f"the local carrier knows no {', '.join(sorted(odd))} of an Ignition configuration")
    files = config.get("storage", {}).get("files", ())
    found = [Entry(file["path"], _contents(file["contents"], sources), file.get("mode", 0o644)) for file in files]
    for unit in config.get("systemd", {}).get("units", ()):
        found += _unit(unit)
    for user in config.get("passwd", {}).get("users", ()):
        keys = "".join(f"{key}\n" for key in user.get("sshAuthorizedKeys", ()))
        home = f"/home/{user['name']}/.ssh"
        found.append(Entry(f"{home}/authorized_keys", keys.encode(), 0o600, owner=user["name"]))
    return tuple(found)


def archive(files: tuple[Entry, ...], owners: Mapping[str, int]) -> bytes:
    """A tar of *files* with the folders that they need; *owners* maps user names to ids."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in files:
            info = tarfile.TarInfo(entry.path.lstrip("/"))
            info.mode = entry.mode
            info.uid = info.gid = owners[entry.owner]
            if entry.owner != "root":
                tar.addfile(_folder(entry, owners))
            if entry.target:
                info.type = tarfile.SYMTYPE
                info.linkname = entry.target
                tar.addfile(info)
            else:
                info.size = len(entry.data)
                tar.addfile(info, io.BytesIO(entry.data))
    return buffer.getvalue()


def _folder(entry: Entry, owners: Mapping[str, int]) -> tarfile.TarInfo:
    """A user's own folder: sshd reads no keys from one that belongs to somebody else."""
    info = tarfile.TarInfo(entry.path.lstrip("/").rpartition("/")[0])
    info.type = tarfile.DIRTYPE
    info.mode = 0o700
    info.uid = info.gid = owners[entry.owner]
    return info


def _contents(contents: Mapping[str, Any], sources: Mapping[str, bytes]) -> bytes:
    source = contents["source"]
    if source.startswith("data:,"):
        return unquote_to_bytes(source.removeprefix("data:,"))
    if source not in sources:
        raise FleetCaptainError(f"the local carrier has nothing for {source}")
    wanted = contents.get("verification", {}).get("hash", "")
    if wanted != f"sha512-{hashlib.sha512(sources[source]).hexdigest()}":
        raise FleetCaptainError(f"{source} is not what the machine's definition says that it is")
    return sources[source]


def _unit(unit: Mapping[str, Any]) -> Iterator[Entry]:
    name, text = unit["name"], unit.get("contents", "")
    if text:
        yield Entry(f"{_UNITS}/{name}", text.encode())
    if unit.get("enabled"):
        wanted = [option.value for option in parse(text) if (option.section, option.name) == ("Install", "WantedBy")]
        path = f"{_UNITS}/{name}" if text else f"/usr/lib/systemd/system/{name}"
        for target in wanted or ["multi-user.target"]:
            yield Entry(f"{_UNITS}/{target}.wants/{name}", target=path)
