"""The app "guestbook": web servers, a worker, a database, a migration and a nightly report."""

import pulumi

from fleetcaptain import Build, Fleetfile, Http, Rolling, Service, Task, Tcp

settings = pulumi.Config("guestbook")

fleet = Fleetfile(
    app="guestbook",
    image="acme/guestbook",
    services=[
        Service(
            "db",
            image=Build("db"),
            ports=[6379],
            volumes=["guestbook-db:/data"],
            secrets=["DB_PASSWORD"],
            ready=Tcp(),
        ),
        Service(
            "web",
            command="python3 -m guestbook.web",
            instances=settings.get_int("web") or 2,
            ports=[80],
            public=8080,
            env={"GREETING": settings.get("greeting") or "Welcome"},
            secrets=["DB_PASSWORD", "ADMIN_TOKEN"],
            ready=Http("/health"),
            requires=["db"],
            rollout=Rolling(min_healthy_sec=5),
        ),
        Service(
            "worker",
            command="python3 -m guestbook.wordcount",
            secrets=["DB_PASSWORD"],
            requires=["db"],
            rollout=Rolling(min_healthy_sec=5),
        ),
    ],
    tasks=[
        Task("migrate", command="python3 -m guestbook.migrate", secrets=["DB_PASSWORD"], after=["db"]),
        Task("nightly", command="python3 -m guestbook.nightly", secrets=["DB_PASSWORD"], every="03:30"),
    ],
)
