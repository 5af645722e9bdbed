"""The app "behavioral" on AWS: as in Fleetfile.py, but the world reaches its web servers, through the load balancer."""

from fleetcaptain import Build, Fleetfile, Http, Rolling, Service, Tcp

fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service(
            "app_server",
            description="My App Service",
            instances=4,
            # Docker takes the first free port of the range, so that four instances fit on three machines.
            ports=["8080-8089:80"],
            public=80,
            ready=Http("/health"),
            # Without redis, which a restart of the server would not repair.
            alive=Http("/alive"),
            command="python3 -m behavioral.server",
            restart_sec=5,
            # Short, for quick first steps. Without it each instance counts after 60 s: until then, `alive` would have
            # failed three times.
            rollout=Rolling(min_healthy_sec=10),
        ),
        Service(
            "important_queue",
            description="Queue Processing Important Jobs",
            command="python3 -m behavioral.worker QUEUE=important",
        ),
        Service(
            "ongoing_queue",
            description="Queue processing ongoing jobs",
            command="python3 -m behavioral.worker QUEUE=ongoing",
            instances=2,
        ),
        # One instance, replaced blue/green: the new one starts beside the old one, so the host's port must be free.
        Service(
            "redis",
            description="Visits, queues and results",
            image=Build("redis"),
            instances=True,
            ports=[6379],
            ready=Tcp(),
        ),
    ],
)
