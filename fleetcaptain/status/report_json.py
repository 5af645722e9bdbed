"""The report as JSON; docs/status.md describes every field. Pure."""

from __future__ import annotations

from typing import Any

from fleetcaptain.schedule.local_time import iso_utc
from fleetcaptain.schedule.service_schedule import change_as_json
from fleetcaptain.status.service_status import ServiceStatus
from fleetcaptain.status.status_report import Report
from fleetcaptain.status.window_status import WindowStatus

__all__ = ["as_json"]


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain data. Fields are only ever added."""
    release, etcd = report.release, report.etcd
    members = None
    if etcd.members is not None:
        members = [{"name": one.name, "address": one.address, "lost": one.lost} for one in etcd.members]
    return {
        "app": report.app,
        "stack": report.stack,
        "at": report.at,
        "ok": report.fine,
        "problems": list(report.problems),
        "unanswered": list(report.unanswered),
        "release": {
            "tag": release.tag,
            "since": release.since,
            "who": release.who,
            "pending": release.pending,
            "previous": release.previous,
            "can_go_back": None if release.why_not is None else bool(release.previous) and not release.why_not,
            "why_not": list(release.why_not or ()),
        },
        "services": [_service(service) for service in report.services],
        "periodic_tasks": [vars(task) for task in report.periodic_tasks],
        "task_runs": [vars(run) for run in report.task_runs],
        "strays": list(report.strays),
        "machines": [
            {
                "id": one.id,
                "address": one.address,
                "zone": one.zone,
                "units": one.units,
                "state": one.state,
                "maintenance": one.maintenance,
            }
            for one in report.machines
        ],
        "etcd": {"members": members, "quorum": etcd.quorum, "version": etcd.version},
        "fleet": {"version": report.fleet_version},
    }


def _windows(windows: WindowStatus, standby: int) -> dict[str, Any]:
    upcoming = windows.upcoming
    return {
        "instances": windows.plan.base,
        "desired": windows.desired,
        "launched": windows.launched,
        "standby": standby,
        "opening": windows.is_opening,
        "next": upcoming and change_as_json(upcoming),
        "lead_sec": windows.plan.lead_sec,
        "needed_lead_sec": windows.needed.lead_sec,
        "planned_until": iso_utc(windows.plan.horizon),
    }


def _service(service: ServiceStatus) -> dict[str, Any]:
    last, rollout = service.last, service.rollout
    return {
        "name": service.name,
        "state": service.state,
        "wanted": service.wanted,
        "healthy": service.healthy,
        "versions": service.versions,
        "zones": service.zones,
        "public": list(service.public),
        "drift": list(service.drift),
        "windows": service.windows and _windows(service.windows, service.standby),
        "maintenance": service.maintenance and {"who": service.maintenance.who, "since": service.maintenance.since},
        "instances": [
            {
                "unit": one.unit,
                "address": one.address,
                "zone": one.zone,
                "version": one.version,
                "state": one.state,
                "healthy": one.healthy,
                "failing": one.failing,
                "trouble": one.trouble,
            }
            for one in service.instances
        ],
        "last_deploy": last
        and {"who": last.who, "since": last.since, "until": last.until, "state": last.state, "error": last.error},
        "rollout": rollout
        and {
            "who": rollout.who,
            "since": rollout.since,
            "to": rollout.to,
            "done": rollout.done,
            "of": rollout.of,
            "interrupted": rollout.stopped,
            "expected_sec": rollout.expected_sec,
        },
    }
