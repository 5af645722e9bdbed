"""The layout of the keys in etcd. It is a contract with every client of discovery."""

from __future__ import annotations

from urllib.parse import quote

from fleetcaptain.errors import FleetCaptainError

__all__ = [
    "CURL",
    "DEPTH",
    "TTL_SEC",
    "agent_key",
    "agents_dir",
    "app_dir",
    "current_key",
    "histories_dir",
    "history_dir",
    "history_key",
    "images_key",
    "lock_key",
    "machines_dir",
    "maintenance_dir",
    "maintenance_key",
    "path_of",
    "pending_key",
    "previous_key",
    "registration_key",
    "registries_key",
    "release_key",
    "releases_dir",
    "restarts_dir",
    "result_key",
    "rollback_key",
    "rollout_key",
    "rollouts_dir",
    "secret_key",
    "secrets_dir",
    "service_dir",
    "service_window_events_dir",
    "service_windows_dir",
    "services_dir",
    "task_dir",
    "task_key",
    "tasks_dir",
    "text_key",
    "texts_dir",
    "window_event_key",
    "window_events_dir",
    "window_plan_key",
    "window_state_key",
    "windows_dir",
]


# The registration of an app expires after this long unless renewed: three renewals a minute are its own to make. Those
# that the machine agent renews live longer.
TTL_SEC = 60

# A directory that is nested too deep for a JSON parser is read level by level, down to this depth: no key of an app is
# deeper.
DEPTH = 3


CURL = "curl $([ -S /run/etcd.sock ] && echo --unix-socket /run/etcd.sock)"
"""The start of a shell command for a machine that calls etcd with all rights."""


def path_of(key: str) -> str:
    """The path of *key* in etcd's v2 API, quoted so that etcd stores exactly this key. Raises FleetCaptainError for a
    key that etcd or HTTP would normalize to another one."""
    parts = key.split("/")[1:]
    if not key.startswith("/") or not parts or any(part in ("", ".", "..") for part in parts):
        raise FleetCaptainError(
            f"{key!r} is not a valid key of etcd: no part may be empty, `.` or `..`. Nothing was changed. Check the "
            "names of the app, its services and its releases."
        )
    try:
        return f"/v2/keys{quote(key)}"
    except UnicodeEncodeError as error:
        raise FleetCaptainError(f"{key!r} is not a valid key of etcd: {error}. Nothing was changed.") from error


def app_dir(app: str) -> str:
    """The directory of all keys of *app*."""
    return f"/fleetcaptain/{app}"


def services_dir(app: str) -> str:
    """The directory of the registrations of all services of *app*."""
    return f"{app_dir(app)}/services"


def machines_dir(app: str) -> str:
    """The directory of the heartbeats of the machines that run *app*, one key for each machine's id."""
    return f"{app_dir(app)}/machines"


def restarts_dir(app: str) -> str:
    """The directory of the restarts under way of instances whose alive check fails."""
    return f"{app_dir(app)}/restarts"


def maintenance_dir(app: str) -> str:
    """The directory of the services that are under maintenance. The machine agents read it; guests cannot write it."""
    return f"{app_dir(app)}/maintenance"


def maintenance_key(app: str, service: str) -> str:
    """The key that says that *service* is under maintenance: who began it, and when."""
    return f"{maintenance_dir(app)}/{service}"


def service_dir(app: str, service: str) -> str:
    """The directory of the registrations of one service."""
    return f"{services_dir(app)}/{service}"


def registration_key(app: str, service: str, unit: str) -> str:
    """The key of one instance's `Registration`, which expires unless renewed."""
    return f"{service_dir(app, service)}/{unit}"


def releases_dir(app: str) -> str:
    """The directory of the manifests of *app*'s releases."""
    return f"{app_dir(app)}/releases"


def release_key(app: str, tag: str) -> str:
    """The key of the `Release` *tag*. A slash in the tag makes no level of the tree: the key itself has ``%2F``."""
    return f"{releases_dir(app)}/{tag.replace('/', '%2F')}"


def lock_key(app: str, service: str) -> str:
    """The key of the lock that a rollout of *service* holds."""
    return f"{app_dir(app)}/locks/{service}"


def rollouts_dir(app: str) -> str:
    """The directory of the journals of the last rollout of each service."""
    return f"{app_dir(app)}/rollouts"


def rollout_key(app: str, service: str) -> str:
    """The key of the journal of the last rollout of *service*."""
    return f"{rollouts_dir(app)}/{service}"


def histories_dir(app: str) -> str:
    """The directory of the records of rollouts. It is left out when the app's directory is read."""
    return f"{app_dir(app)}/_history"


def history_dir(app: str, service: str) -> str:
    """The directory of the records of the rollouts of *service*."""
    return f"{histories_dir(app)}/{service}"


def history_key(app: str, service: str, name: str) -> str:
    """The key of the record *name* of a rollout of *service*: the time at which it began."""
    return f"{history_dir(app, service)}/{name}"


def current_key(app: str) -> str:
    """The key whose value is the tag of the current release."""
    return f"{app_dir(app)}/current"


def previous_key(app: str) -> str:
    """The key whose value is the tag of the previous release."""
    return f"{app_dir(app)}/previous"


def pending_key(app: str) -> str:
    """The key whose value is the tag of the release that is being deployed, or whose deployment failed."""
    return f"{app_dir(app)}/coming"


def rollback_key(app: str) -> str:
    """The key of the last rollback. It is left out when the app's directory is read."""
    return f"{app_dir(app)}/_rollback"


def agent_key(app: str, program: str) -> str:
    """The key of the machine agent's program with the SHA-256 *program*, in base64. It is left out when the app's
    directory is read."""
    return f"{agents_dir(app)}/{program}"


def agents_dir(app: str) -> str:
    """The directory of the machine agent's programs."""
    return f"{app_dir(app)}/_agent"


def images_key(app: str) -> str:
    """The key that says which images the machines keep; see `fleetcaptain.release.kept_images`. It is left out when the
    app's directory is read."""
    return f"{app_dir(app)}/_images"


def tasks_dir(app: str) -> str:
    """The directory of what is known of the runs of *app*'s tasks. It is left out when the app's directory is read, and
    only etcd's superuser writes it: deployments, and the machine agents."""
    return f"{app_dir(app)}/_tasks"


def task_dir(app: str, task: str) -> str:
    """The directory of one task."""
    return f"{tasks_dir(app)}/{task}"


def task_key(app: str, task: str) -> str:
    """The key of the journal of a task's last run: wanted, running or ended. Changed by compare-and-swap only."""
    return f"{task_dir(app, task)}/last"


def result_key(app: str, task: str, unit_hash: str) -> str:
    """The key of the successful run of the unit text whose SHA1 is *unit_hash*."""
    return f"{task_dir(app, task)}/{unit_hash}"


def registries_key(app: str) -> str:
    """The key of the encrypted logins at registries, with which machines pull the app's images."""
    return f"{app_dir(app)}/_registries"


def secrets_dir(app: str) -> str:
    """The directory of the encrypted secrets. It is left out when the app's directory is read."""
    return f"{app_dir(app)}/_secrets"


def secret_key(app: str, digest: str) -> str:
    """The key of the encrypted secret with this digest; see `fleetcaptain.secrets.secret_digest`."""
    return f"{secrets_dir(app)}/{digest}"


def texts_dir(app: str) -> str:
    """The directory of the unit texts of all releases. Its name begins with ``_``, so etcd leaves it out when the app's
    directory is read, and lookups stay cheap."""
    return f"{app_dir(app)}/_texts"


def text_key(app: str, unit_hash: str) -> str:
    """The key of the unit text whose SHA1 is *unit_hash*."""
    return f"{texts_dir(app)}/{unit_hash}"


def windows_dir(app: str) -> str:
    """The directory of the windows of *app*'s services. It is left out when the app's directory is read, and only
    etcd's superuser writes it: deployments, and the machine agents."""
    return f"{app_dir(app)}/_windows"


def service_windows_dir(app: str, service: str) -> str:
    """The directory of the windows of *service*."""
    return f"{windows_dir(app)}/{service}"


def window_plan_key(app: str, service: str) -> str:
    """The key of the `WindowPlan` of *service*, which a deployment writes."""
    return f"{service_windows_dir(app, service)}/plan"


def window_state_key(app: str, service: str) -> str:
    """The key of the last `WindowEvent` of *service*: how many instances run now, as the agents know."""
    return f"{service_windows_dir(app, service)}/state"


def window_events_dir(app: str) -> str:
    """The directory of what the agents did for windows, for two days; left out when the app's directory is read."""
    return f"{app_dir(app)}/_window_events"


def service_window_events_dir(app: str, service: str) -> str:
    """The directory of the `WindowEvent` of *service*."""
    return f"{window_events_dir(app)}/{service}"


def window_event_key(app: str, service: str, at: int) -> str:
    """The key of the `WindowEvent` of *service* that was *at* this time (seconds of the Unix clock)."""
    return f"{service_window_events_dir(app, service)}/{at}"
