"""The report as lines of text for a terminal of a given width. It says everything without colour. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from fleetcaptain.printable import one_line
from fleetcaptain.status.ages import age, minute
from fleetcaptain.status.expected_rollout import format_left
from fleetcaptain.status.machine_status import MachineStatus
from fleetcaptain.status.periodic_task_status import PeriodicTaskStatus
from fleetcaptain.status.service_status import ServiceStatus
from fleetcaptain.status.status_report import Report
from fleetcaptain.styled import Line, Span, cut

__all__ = ["lines_of"]

_SERVICES = ("SERVICE", "STATE", "UP", "VERSION", "ZONES", "LAST DEPLOY")
_TASKS = ("TASK", "LAST RUN", "ENDED", "NEXT RUN", "EVERY")
_MACHINES = ("MACHINE", "STATE", "ZONE", "UNITS")
# The columns that are cut when the table is too wide, and how wide they stay.
_LEAST_WIDTH = {"SERVICE": 12, "VERSION": 8, "ZONES": 9, "LAST DEPLOY": 8, "TASK": 12, "ENDED": 8, "EVERY": 12}
_STYLES = {
    "ok": "good",
    "up": "good",
    "rolling": "warn",
    "opening": "warn",
    "mixed": "warn",
    "drift": "warn",
    "maintenance": "warn",
    "degraded": "bad",
    "failing": "bad",
    "down": "bad",
    "silent": "bad",
    "missing": "bad",
    "unknown": "warn",
    "done": "good",
    "failed": "bad",
}
_SHOWN_PROBLEMS = 12
_GAP = "  "

Row = tuple[Span, ...]


def lines_of(report: Report, width: int = 80, *, height: int = 0) -> tuple[Line, ...]:
    """The screen: the release, services, machines, etcd, and what is wrong, each line at most *width* characters.

    If it is higher than *height* (0: any height), services and machines with nothing to say are only counted.
    """
    whole = _lines(report, width, brief=False)
    return whole if not height or len(whole) <= height else _lines(report, width, brief=True)


def _lines(report: Report, width: int, *, brief: bool) -> tuple[Line, ...]:
    services = [service for service in report.services if not brief or service.state != "ok"]
    machines = [machine for machine in report.machines if not brief or _state(machine) != "up"]
    lines = (
        *_head(report, width),
        (Span(""),),
        *_table(_SERVICES, [_service(service, report.at) for service in services], width),
        *_counted(len(report.services) - len(services), "services are ok"),
        *_tasks(report, width, brief=brief),
        (Span(""),),
        *_table(_MACHINES, [_machine(machine) for machine in machines], width),
        *_counted(len(report.machines) - len(machines), "machines are up"),
        *_foot(report, width),
        *_problems(report, width),
    )
    return tuple(_clipped(line, width) for line in lines)


def _tasks(report: Report, width: int, *, brief: bool) -> list[Line]:
    """The periodic tasks, if there are any."""
    tasks = report.periodic_tasks
    shown = [task for task in tasks if not brief or task.trouble or task.state not in ("done", "running")]
    table = [(Span(""),), *_table(_TASKS, [_task(task, report.at) for task in shown], width)] if shown else []
    return [*table, *_counted(len(tasks) - len(shown), "periodic tasks are ok")]


def _counted(count: int, what: str) -> list[Line]:
    return [(Span(f"{count} {what}", "dim"),)] if count else []


def _clipped(line: Line, width: int) -> Line:
    """*line* without what is beyond *width*, on a terminal that is too narrow for the table."""
    spans, left = [], width
    for span in line:
        spans.append(Span(span.text[:left], span.style))
        left -= len(spans[-1].text)
    return tuple(spans)


def _head(report: Report, width: int) -> list[Line]:
    release, now = report.release, report.at
    where = f"{report.app} of {report.stack}" if report.stack else report.app
    time = f"{now[11:19]} UTC"
    room = width - len(time) - len(_GAP)
    lines: list[Line] = [(Span(cut(one_line(where), room).ljust(room), "bold"), Span(_GAP), Span(time, "dim"))]
    if release.tag:
        since = f" since {minute(release.since)} UTC ({age(release.since, now)})" if release.since else ""
        by = f" by {release.who}" if release.who else ""
        lines.append(_field("release", f"{release.tag}{since}{by}", width))
    else:
        unknown = any(sentence.startswith("etcd:") for sentence in report.unanswered)
        lines.append(_field("release", "unknown" if unknown else "none yet", width))
    if release.pending:
        lines.append(_field("pending", release.pending, width, "warn"))
    if release.previous:
        lines.append(_field("previous", f"{release.previous}, {_rollback(release.why_not)}", width))
    for service in report.services:
        rollout = service.rollout
        if rollout is not None:
            verb = "interrupted" if rollout.stopped else "rolling"
            what = f"{service.name} to {rollout.to}: {rollout.done} of {rollout.of} instances"
            by = f"by {rollout.who}, {age(rollout.since, now)}"
            left = "" if rollout.stopped else format_left(rollout.expected_sec, rollout.since, now)
            lines.append(_field(verb, ", ".join(filter(None, (what, left, by))), width, "warn"))
    lines += [_field("public", f"{one.name}: {', '.join(one.public)}", width) for one in report.services if one.public]
    lines += [_field("windows", f"{one.name}: {one.windows.mark}", width) for one in report.services if one.windows]
    for run in report.task_runs:
        where = f" on {run.address}" if run.address else ""
        lines.append(_field("task", f"{run.name}: {run.state}{where}, {run.unit}", width, "warn"))
    for service in report.services:
        if service.maintenance is not None:
            by = f"by {service.maintenance.who}, {age(service.maintenance.since, now)}"
            lines.append(_field("out", f"{service.name} is under maintenance, {by}", width, "warn"))
    return lines


def _rollback(why_not: Sequence[str] | None) -> str:
    if why_not is None:
        return "rollback not checked"
    if not why_not:
        return "rollback possible (images not checked)"
    return f"no rollback: {'; '.join(why_not)}"


def _field(name: str, text: str, width: int, style: str = "") -> Line:
    return (Span(f"{name:<9} ", "dim"), Span(cut(one_line(text), width - 10), style))


def _service(service: ServiceStatus, now: str) -> Row:
    last = service.last
    by = ""
    if last is not None:
        verb = "" if last.state == "done" else f"{last.state} "
        by = f"{verb}{age(last.until or last.since, now)} {last.who}"
    up = f"{service.healthy}/{service.wanted}"
    return (
        Span(service.name),
        Span(service.state, _STYLES[service.state]),
        Span(up, "" if service.healthy >= service.wanted else "bad"),
        Span(_counts(service.versions)),
        Span(_zones(service)),
        Span(by, "bad" if last is not None and last.state == "failed" else "dim"),
    )


def _counts(counts: Mapping[str, int]) -> str:
    """``v1.1``, or ``v1.1 x3, v1.0 x1``."""
    if len(counts) < 2:  # noqa: PLR2004 - one version needs no number
        return next(iter(counts), "-") or "-"
    return ", ".join(f"{name or '-'} x{count}" for name, count in counts.items())


def _zones(service: ServiceStatus) -> str:
    zones = service.zones
    return "-" if set(zones) <= {""} else " ".join(f"{zone or '-'}:{count}" for zone, count in zones.items())


def _task(task: PeriodicTaskStatus, now: str) -> Row:
    when = age(task.until or task.since, now)
    upcoming = f"{minute(task.next_run)} UTC" if task.next_run else "-"
    return (
        Span(task.name),
        Span(task.state, _STYLES.get(task.state, "")),
        Span(f"{when} {task.address}".strip() or "-"),
        Span(upcoming, "bad" if task.trouble else ""),
        Span(task.every or "-", "dim"),
    )


def _machine(machine: MachineStatus) -> Row:
    return (
        Span(machine.address or machine.id),
        Span(_state(machine), _STYLES[_state(machine)]),
        Span(machine.zone or "-"),
        Span(str(machine.units) if machine.state in ("up", "silent") else "-"),
    )


def _state(machine: MachineStatus) -> str:
    return "maintenance" if machine.maintenance and machine.state == "up" else machine.state


def _foot(report: Report, width: int) -> list[Line]:
    etcd = report.etcd
    members = "members unknown" if etcd.members is None else f"{len(etcd.members)} members"
    state = {True: "quorum", False: "NO QUORUM", None: "no answer"}[etcd.quorum]
    lost = [member.name or member.address for member in etcd.members or () if member.lost]
    more = f", lost: {', '.join(lost)}" if lost else ""
    versions = f"fleet {report.fleet_version or '-'}{_GAP}etcd {etcd.version or '-'}"
    style = "" if etcd.quorum and not lost else "bad"
    return [(Span(""),), _field("etcd", f"{members}, {state}{more}", width, style), _field("versions", versions, width)]


def _problems(report: Report, width: int) -> list[Line]:
    problems = [f"no answer from {sentence}" for sentence in report.unanswered] + list(report.problems)
    if not problems:
        return []
    lines: list[Line] = [(Span(""),)]
    for sentence in problems[:_SHOWN_PROBLEMS]:
        wrapped = textwrap.wrap(one_line(sentence), max(1, width - 2), break_on_hyphens=False)[:3] or [""]
        lines += [(Span(f"{'! ' if number == 0 else '  '}{text}", "bad"),) for number, text in enumerate(wrapped)]
    more = len(problems) - _SHOWN_PROBLEMS
    if more > 0:
        lines.append((Span(f"! and {more} more: `captain status --json` has all of them", "bad"),))
    return lines


def _table(head: Sequence[str], rows: Sequence[Row], width: int) -> list[Line]:
    """*rows* below *head* in columns; those that can be cut lose characters until the table is *width* wide."""
    cells = [tuple(Span(one_line(cell.text), cell.style) for cell in row) for row in rows]
    widths = [max([len(title), *(len(row[column].text) for row in cells)]) for column, title in enumerate(head)]
    least = [_LEAST_WIDTH.get(title, width) for title, width in zip(head, widths, strict=True)]
    while sum(widths) + len(_GAP) * (len(head) - 1) > width:
        excess, column = max((widths[column] - least[column], column) for column in range(len(head)))
        if excess <= 0:
            break
        widths[column] -= 1
    titles = tuple(Span(title, "dim") for title in head)
    return [_joined(row, widths) for row in [titles, *cells]]


def _joined(row: Row, widths: Sequence[int]) -> Line:
    spans = []
    for cell, width in zip(row, widths, strict=True):
        spans += [Span(cut(cell.text, width).ljust(width), cell.style), Span(_GAP)]
    return tuple(spans[:-1])
