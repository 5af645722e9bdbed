"""Tasks of a Fleetfile: what they resolve to, and every mistake that they can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleetfile.values import App, Build, TaskSpec
from tests.unit.fleetfile.written import app, mistakes

_SERVICES = 'Service("db", image="postgres:16"), Service("web", requires=["db"]), Service("jobs")'


def more(tasks: str) -> str:
    """The keywords of a Fleetfile with these *tasks*."""
    return f'app="shop", image="acme/shop", tasks={tasks}'


def loaded(folder: Path, tasks: str, services: str = _SERVICES) -> App:
    """The app with these *tasks*."""
    return app(folder, services, more(tasks))


def test_a_task_has_the_keywords_of_its_container(tmp_path: Path) -> None:
    """They mean what they mean in a service."""
    words = 'command="rake db:migrate -v", env={"A": 1}, volumes=["data:/data"], docker_args=["--init"]'
    (task,) = loaded(tmp_path, f'[Task("migrate", {words}, before=["web"], after=["db"], timeout_sec=30)]').tasks
    container = task.container
    assert container.command == ("rake", "db:migrate", "-v")
    assert (container.env, container.volumes, container.docker_args) == ((("A", "1"),), ("data:/data",), ("--init",))
    assert (container.image, container.description) == (Build(), "migrate")
    assert (task.name, task.before, task.after, task.timeout_sec) == ("migrate", ("web",), ("db",), 30)
    assert container.location == "Fleetfile.py:2"


@pytest.mark.parametrize(
    ("keywords", "before"),
    [
        ("", ("db", "web", "jobs")),
        (', after=["db"]', ("web", "jobs")),
        # with web comes db, which web requires
        (', after=["web"]', ("jobs",)),
        (', after=["web", "jobs"]', ()),
        (', before=["jobs"]', ("jobs",)),
    ],
)
def test_a_task_comes_before_all_services_that_are_not_before_it(
    tmp_path: Path, keywords: str, before: tuple[str, ...]
) -> None:
    """Unless it names them."""
    (task,) = loaded(tmp_path, f'[Task("migrate", command="x"{keywords})]').tasks
    assert task.before == before


def test_an_app_without_tasks_has_none(tmp_path: Path) -> None:
    """And its Fleetfile is as it was."""
    assert app(tmp_path, _SERVICES).tasks == ()


@pytest.mark.parametrize("image", ["None", '"acme/migrations:1"', f'"a@sha256:{"0" * 64}"', "Build()"])
def test_a_task_has_the_image_of_a_service_or_one_from_a_registry(tmp_path: Path, image: str) -> None:
    """A build has to be one that a service uses: its image is kept, and removed, with that service's."""
    task: TaskSpec = loaded(tmp_path, f'[Task("migrate", command="x", image={image})]').tasks[0]
    assert task.container.image in (Build(), image.strip('"'))


def test_a_periodic_task_has_a_normalised_calendar_event(tmp_path: Path) -> None:
    """It comes before no service."""
    task = loaded(tmp_path, '[Task("nightly", command="x", every="Mon..Fri 3:30 UTC")]').tasks[0]
    assert (task.every, task.before, task.after) == ("Mon..Fri *-*-* 03:30:00 UTC", (), ())


_RULES = [
    ('[Task("Migrate", command="x")]', "the name must have lower case letters"),
    ('[Task("migrate-abc1234", command="x")]', "must not end like a blue/green generation's"),
    (f'[Task("{"x" * 41}", command="x")]', "the name of a task must have at most 40 characters"),
    ('[Task("web", command="x")]', "a service or another task has the same name; rename one of them"),
    ('[Task("a", command="x"), Task("a", command="x")]', "a service or another task has the same name"),
    ('[Task("migrate")]', "command: is required: the program to run, with its arguments"),
    ('[Task("migrate", command="")]', "command: must not be empty"),
    ('[Task("migrate", command="x", comand="x")]', 'comand: unknown keyword; did you mean "command"?'),
    (
        '[Task("migrate", command="x", hostname="x")]',
        'hostname: unknown keyword; write docker_args=["--hostname", ...]',
    ),
    ('[Task("migrate", command="x", timeout_sec=0)]', "timeout_sec: must be an integer number of seconds from 1 to"),
    (
        '[Task("migrate", command="x", before=["we"])]',
        "before: 'we' is not a service of this Fleetfile; did you mean \"web\"?",
    ),
    ('[Task("migrate", command="x", after="db")]', "after: must be a list, not 'db'"),
    ('[Task("migrate", command="x", after=["x.service"])]', "after: 'x.service' is not a service of this Fleetfile"),
    ('[Task("migrate", command="x", before=["web"], after=["web"])]', "before: web is deployed before the task"),
    ('[Task("migrate", command="x", before=["db"], after=["web"])]', "before: db is deployed before the task"),
    ('[Task("migrate", command="x", image=Build("other"))]', "image: no service uses the image that it builds"),
    ('[Task("migrate", command="x", env={"DB_PASSWORD": "hunter2"})]', "env: DB_PASSWORD looks like a secret"),
    ('[Task("migrate", command="x", docker_args=["--name=x"])]', "docker_args: --name: the unit names its container"),
    (
        '[Task("nightly", command="x", every="03:30", before=["web"])]',
        "before: cannot be combined with every=, whose timer",
    ),
    (
        '[Task("nightly", command="x", every="03:30", after=["web"])]',
        "after: cannot be combined with every=, whose timer",
    ),
    ('[Task("a", command="x", renamed_from="b")]', "renamed_from: unknown keyword"),
    ('[Task("nightly", command="x", every="3.30")]', "every: '3.30' is not a calendar event; it must be"),
    ('[Task("nightly", command="x", every=30)]', "every: must be a string, not 30"),
    ("None", "tasks: must be a list of Task(...), not NoneType"),
    ('[Service("x")]', "tasks: each entry must be a Task(...), not a Service"),
    (
        '[Task("a", command="x", before=["web"], after=["jobs"]), '
        'Task("b", command="x", before=["jobs"], after=["web"])]',
        "after: with these tasks services wait for each other: web -> jobs -> web",
    ),
]


@pytest.mark.parametrize(("tasks", "message"), _RULES)
def test_a_mistake_is_reported_with_its_place(tmp_path: Path, tasks: str, message: str) -> None:
    """As those of services are, and with them."""
    (problem,) = mistakes(tmp_path, _SERVICES, more(tasks))
    assert problem.startswith("Fleetfile.py:2: ")
    assert message in problem


def test_a_task_is_replaced_by_no_service(tmp_path: Path) -> None:
    """It has no instances."""
    (problem,) = mistakes(tmp_path, 'Service("web", renamed_from="move")', more('[Task("move", command="x")]'))
    assert "renamed_from: 'move' is a task, which no service can replace" in problem


def test_without_an_image_a_task_needs_its_own(tmp_path: Path) -> None:
    """As a service does."""
    found = mistakes(tmp_path, 'Service("db", image="postgres:16")', 'app="shop", tasks=[Task("migrate", command="x")]')
    assert any("image: is required, because the Fleetfile has no image= for its tasks" in problem for problem in found)


def test_a_service_in_the_place_of_a_task_is_no_service(tmp_path: Path) -> None:
    """And the reverse."""
    (problem,) = mistakes(tmp_path, 'Service("web"), Task("migrate", command="x")')
    assert "services: each entry must be a Service(...), not a Task" in problem


def test_a_mistake_of_a_task_is_not_reported_as_one_of_a_service(tmp_path: Path) -> None:
    """Neither one of a keyword, nor one that shows only in the whole."""
    tasks = '[Task("migrate", command="x", imagge="y"), Task("seed")]'
    assert [one.split(": ")[1] for one in mistakes(tmp_path, _SERVICES, more(tasks))] == [
        "task 'migrate'",
        "task 'seed'",
    ]
    (whole,) = mistakes(tmp_path, _SERVICES, more('[Task("web", command="x")]'))
    assert whole.startswith("Fleetfile.py:2: task 'web': ")
