"""Where things are kept in etcd. This layout is a contract with everybody who looks services up."""

from __future__ import annotations

from urllib.parse import quote

from fleetcaptain.errors import FleetCaptainError

__all__ = [
    "CURL",
    "DEPTH",
    "TTL_SEC",
    "app_dir",
    "current_key",
    "lock_key",
    "path_of",
    "pending_key",
    "previous_key",
    "registration_key",
    "release_key",
    "releases_dir",
    "rollout_key",
    "service_dir",
    "services_dir",
    "text_key",
    "texts_dir",
]


# A registration that nobody renews is gone after this long. The units' lines have the same number, which a test holds:
# importing it from there would load, into an app, all that writes units.
TTL_SEC = 60

# A directory in which keys are nested too deep for a JSON parser is read level by level, and what is more than so many
# levels below it is not read: nothing of an app's is.
DEPTH = 3


CURL = "curl $([ -S /run/etcd.sock ] && echo --unix-socket /run/etcd.sock)"
"""How a command for a machine's shell begins that asks etcd with all rights, where it asks for any."""


def path_of(key: str) -> str:
    """The path of *key* in etcd's v2 API: each character stands for itself, so etcd stores exactly this key and gives
    it back as it is. Raises FleetCaptainError for a key that etcd, or HTTP on the way, would take for another one."""
    parts = key.split("/")[1:]
    if not key.startswith("/") or not parts or any(part in ("", ".", "..") for part in parts):
        raise FleetCaptainError(
            f"{key!r} is not a key of etcd: it has an empty part, or one that is `.` or `..`. Check the names of the "
            "app, its services and its releases. Nothing was changed."
        )
    try:
        return f"/v2/keys{quote(key)}"
    except UnicodeEncodeError as error:
        raise FleetCaptainError(f"{key!r} is not a key of etcd: {error}. Nothing was changed.") from error


def app_dir(app: str) -> str:
    """The directory of everything that belongs to *app*."""
    return f"/fleetcaptain/{app}"


def services_dir(app: str) -> str:
    """The directory of the registrations of all services of *app*."""
    return f"{app_dir(app)}/services"


def service_dir(app: str, service: str) -> str:
    """The directory of the registrations of one service."""
    return f"{services_dir(app)}/{service}"


def registration_key(app: str, service: str, unit: str) -> str:
    """The key of one instance's registration; its value is a `Registration`, its lifetime 60 s unless renewed."""
    return f"{service_dir(app, service)}/{unit}"


def releases_dir(app: str) -> str:
    """The directory of the manifests of *app*'s releases."""
    return f"{app_dir(app)}/releases"


def release_key(app: str, tag: str) -> str:
    """The key of one release's `Release`. A slash in the tag is no level of the tree: the key itself has ``%2F``."""
    return f"{releases_dir(app)}/{tag.replace('/', '%2F')}"


def lock_key(app: str, service: str) -> str:
    """The key that whoever rolls *service* out holds."""
    return f"{app_dir(app)}/locks/{service}"


def rollout_key(app: str, service: str) -> str:
    """The key of the journal of the last rollout of *service*."""
    return f"{app_dir(app)}/rollouts/{service}"


def current_key(app: str) -> str:
    """The key whose value is the tag of the release that is current."""
    return f"{app_dir(app)}/current"


def previous_key(app: str) -> str:
    """The key whose value is the tag of the release that was current before."""
    return f"{app_dir(app)}/previous"


def pending_key(app: str) -> str:
    """The key whose value is the tag of the release that is being deployed, or that was when it failed."""
    return f"{app_dir(app)}/coming"


def texts_dir(app: str) -> str:
    """The directory of the unit texts of all releases. etcd leaves out what begins with ``_`` when the app's whole
    directory is read, so lookups do not pay for them."""
    return f"{app_dir(app)}/_texts"


def text_key(app: str, unit_hash: str) -> str:
    """The key of the unit text whose SHA1 is *unit_hash*."""
    return f"{texts_dir(app)}/{unit_hash}"
