"""Converts a machine's Ignition JSON to the files of its container. Pure.

It supports exactly the output of `fleetcaptain.machine` and refuses the rest: a file that is silently missing would
make the machine differ from the one on AWS.
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

__all__ = ["FileEntry", "archive", "entries"]

_UNITS = "/etc/systemd/system"
_KNOWN = {
    "": {"ignition", "passwd", "storage", "systemd"},
    "storage": {"files"},
    "systemd": {"units"},
    "passwd": {"users"},
}


@dataclass(frozen=True)
class FileEntry:
    """A file at *path*, or a symbolic link there when *target* is set."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    target: str = ""
    owner: str = "root"


def entries(config: Mapping[str, Any], sources: Mapping[str, bytes]) -> tuple[FileEntry, ...]:
    """The files and links of *config*; *sources* maps its URLs to their content. Users and groups are the image's own,
    as on Flatcar; only their keys come from here.

    Raises FleetCaptainError for an unsupported part, and for a source with another hash than the named one.
    """
    for part, known in _KNOWN.items():
        odd = set(config.get(part, {}) if part else config) - known
        if odd:
            raise FleetCaptainError(
                f"Local machines do not support {', '.join(sorted(odd))} in an Ignition configuration"
            )
    files = config.get("storage", {}).get("files", ())
    found = [FileEntry(file["path"], _contents(file["contents"], sources), file.get("mode", 0o644)) for file in files]
    for unit in config.get("systemd", {}).get("units", ()):
        found += _unit(unit)
    for user in config.get("passwd", {}).get("users", ()):
        keys = "".join(f"{key}\n" for key in user.get("sshAuthorizedKeys", ()))
        home = f"/home/{user['name']}/.ssh"
        found.append(FileEntry(f"{home}/authorized_keys", keys.encode(), 0o600, owner=user["name"]))
    return tuple(found)


def archive(files: tuple[FileEntry, ...], owners: Mapping[str, int]) -> bytes:
    """A tar archive of *files* and the folders that they need; *owners* maps user names to ids."""
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


def _folder(entry: FileEntry, owners: Mapping[str, int]) -> tarfile.TarInfo:
    """The folder of *entry*, owned by its user: sshd reads no keys from a folder with another owner."""
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
        raise FleetCaptainError(f"No content for {source}, which a machine's definition names")
    wanted = contents.get("verification", {}).get("hash", "")
    if wanted != f"sha512-{hashlib.sha512(sources[source]).hexdigest()}":
        raise FleetCaptainError(f"{source} does not have the hash in the machine's definition")
    return sources[source]


def _unit(unit: Mapping[str, Any]) -> Iterator[FileEntry]:
    name, text = unit["name"], unit.get("contents", "")
    if text:
        yield FileEntry(f"{_UNITS}/{name}", text.encode())
    if unit.get("enabled"):
        wanted = [option.value for option in parse(text) if (option.section, option.name) == ("Install", "WantedBy")]
        path = f"{_UNITS}/{name}" if text else f"/usr/lib/systemd/system/{name}"
        for target in wanted or ["multi-user.target"]:
            yield FileEntry(f"{_UNITS}/{target}.wants/{name}", target=path)
