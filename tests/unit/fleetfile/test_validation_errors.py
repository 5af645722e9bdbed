"""Every mistake that a Fleetfile can have is told with its file, line, service and keyword."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.validation_error import represented
from tests.unit.fleetfile.written import HEAD, app, mistakes

_RULES = [
    ('Service("Web")', "a name has lower case letters"),
    ('Service("web-abc1234")', "ends like a blue/green generation's"),
    ('Service("web", comand="x")', 'comand: no such keyword; did you mean "command"?'),
    ('Service("web", desc="x")', "desc: no such keyword; it is called description here"),
    ('Service("web", environment={})', "environment: no such keyword; it is called env here"),
    ('Service("web", restart="always")', 'restart: no such keyword; it is called service={"Restart": ...} and'),
    ('Service("web", volume=[])', 'volume: no such keyword; did you mean "volumes"?'),
    *(
        (f'Service("web", {word}=1)', f'{word}: no such keyword; write docker_args=["--{option}", ...]')
        for word, option in [
            ("hostname", "hostname"),
            ("privileged", "privileged"),
            ("cap_add", "cap-add"),
            ("ulimits", "ulimit"),
            ("labels", "label"),
            ("network_mode", "network"),
            ("networks", "network"),
            ("working_dir", "workdir"),
            ("dns", "dns"),
        ]
    ),
    (
        'Service("web", command="RAILS_ENV=production rake -T")',
        'RAILS_ENV=... would be the program; write env={"RAILS_',
    ),
    (
        """Service("web", command='["nginx", "-g", "daemon off;"]')""",
        "is a list in a text, which is split at its blanks",
    ),
    *(
        (
            f'Service("web", docker_args={words!r})',
            f"docker_args: --{name}: a unit has no folder that {path!r} could be",
        )
        for words, name, path in [
            (["--env-file", ".env"], "env-file", ".env"),
            (["--env-file=shop.env"], "env-file", "shop.env"),
            (["--label-file", "./labels"], "label-file", "./labels"),
            (["-v", "./data:/data"], "volume", "./data"),
            (["-vdata/x:/data:ro"], "volume", "data/x"),
            (["--volume=~/x:/data"], "volume", "~/x"),
            (["--mount", "type=bind,source=x,target=/x"], "mount", "x"),
            (["--mount", "dst=/x,src=./x,type=bind"], "mount", "./x"),
        ]
    ),
    ('Service("web", after=["db"]), Service("db", after=["web"])', "after: they wait for each other: web -> db -> web"),
    ('Service("web", requires=["db"]), Service("db", after=["web"])', "requires: they wait for each other: web -> db"),
    *(
        (
            f'Service("db", instances=True), Service("web", unit={{{option!r}: "x.service db@1.service"}})',
            "unit: no unit is",
        )
        for option in ("BindsTo", "After", "Wants", "PartOf")
    ),
    (
        'Service("db", instances=2), Service("web", instances=3, unit={"BindsTo": "db@%i.service"})',
        "unit: no unit is called db@3.service: db has instances=2; write db@1.service or db@2.service",
    ),
    ('Service("web", scale=3)', "scale: not supported yet"),
    *(
        (f'Service("web", {keyword})', "it must not end in a backslash")
        for keyword in (
            "description='a\\\\'",
            "start='/bin/a \\\\'",
            "service={'A': '\\\\'}",
            "description=Literal('\\\\')",
        )
    ),
    ('Service("web", description=3)', "description: it must be a text, not 3"),
    ('Service("web", description="a\\nb")', "description: it must be one line"),
    ('Service("web", command="x" * 3000)', "command: it is too long"),
    ('Service("web", command=" ")', "command: it must not be empty"),
    ('Service("web", description="a\\0b")', r"description: it must not contain characters that are invisible or"),
    ('Service("web", description="a\\x1b[0m\\u2028")', r"remove \x1b, \u2028"),
    ('Service("web", description="a\\ud800")', r"remove \ud800"),
    ('Service("web", description="{% if %} <{% if %}")', 'description: it must not contain "<{%"'),
    ('Service("web", command="a\\0b")', r"command: it must not contain characters that are invisible"),
    (
        'Service("web", docker_args=["--net=host", "--name", "web"])',
        "docker_args: --name: the unit names its container",
    ),
    ('Service("web", docker_args=["--name=web"])', "docker_args: --name: the unit names its container"),
    ('Service("web", docker_args=["a\\x7f"])', r"docker_args: it must not contain characters"),
    ('Service("web", env={"A": "\\u202e"})', r"env: it must not contain characters"),
    ('Service("web", volumes=["/a\\0:/b"])', r"volumes: it must not contain characters"),
    ('Service("web", versions=["\\u200b"])', r"versions: it must not contain characters"),
    ('Service("web", ready=Http("/a\\x1b"))', r"ready: it must not contain characters"),
    ('Service("web", ready=Command("a\\0b"))', r"ready: it must not contain characters"),
    ('Service("web", machine_metadata={"a": "\\x9b"})', r"machine_metadata: it must not contain characters"),
    ('Service("web", unit={"Documentation": "<{%x%}>"})', 'unit: Documentation: it must not contain "<{%"'),
    ('Service("web", before_start="/bin/echo <{%x%}>")', 'before_start: it must not contain "<{%"'),
    ('Service("web", image=Build("<{%x%}>"))', 'image: it must not contain "<{%"'),
    ('Service("web", image="Redis")', "image: 'Redis' is no image reference"),
    ('Service("web", image="--privileged")', "image: '--privileged' is no image reference"),
    ('Service("web", image="redis:7 --privileged")', "is no image reference"),
    ('Service("web", image="redis:7:8")', "image: 'redis:7:8' is no image reference"),
    ('Service("web", image="redis@sha256:1")', "image: 'redis@sha256:1' is no image reference"),
    *(
        (
            f'Service("web", image={image!r})',
            f'image: {represented(image)} is no image reference, such as "redis:7": {why}',
        )
        for image, why in [
            ("redis:", "the tag '' must have 1 to 128"),
            (":tag", "the name is missing"),
            ("acme/shop:", "the tag '' must"),
            ("acme//shop", "a part of the name is empty"),
            ("/shop", "a part of the name is empty"),
            ("shop/", "a part of the name is empty"),
            ("UPPER/x", "the name must be lower case"),
            ("localhost/Shop", "the name must be lower case"),
            ("a..b", "each part of the name must have"),
            ("a___b", "each part of the name must have"),
            ("-shop", "each part of the name must have"),
            ("shop-", "each part of the name must have"),
            ("http://host/x", "'http:' must be a registry"),
            ("my_registry:5000/a", "'my_registry:5000' must be a registry"),
            ("host:99999999/a", "'host:99999999' must be a registry"),
            ("a" * 256, "the name has 256 characters"),
            ("a" * 64, "docker reads 64 hex digits as an image id"),
            ("a:" + "x" * 129, "the tag"),
            ("a:-x", "the tag"),
            ("redis@sha256:" + "a" * 32, "the digest"),
            ("redis@sha256:" + "A" * 64, "the digest"),
            ("redis@md5:" + "a" * 32, "the digest"),
            ("redis@", "the digest ''"),
        ]
    ),
    ('Service("web", image=Build("nowhere"))', "nowhere/Dockerfile to build it from"),
    ('Service("web", ports="80")', "ports: it must be a list"),
    ('Service("web", ports=["http"])', "ports: 'http' is no port"),
    ('Service("web", ports=["８０"])', "ports: '８０' is no port"),  # noqa: RUF001 - other digits are the point
    ('Service("web", ports=["1.2.3:80:80"])', "ports: '1.2.3:80:80': '1.2.3' is no IP address"),
    ('Service("web", ports=["1.2.3.400:80:80"])', "'1.2.3.400' is no IP address"),
    *(
        (f'Service("web", ports=[{port!r}])', f"ports: {port!r}{why}")
        for port, why in [
            ("999.1.1.1:80:80", ": '999.1.1.1' is no IP address"),
            ("localhost:80:80", ": 'localhost' is no IP address"),
            ("01.2.3.4:80:80", ": '01.2.3.4' is no IP address"),
            ("[1.2.3.4]:80:80", ": '[1.2.3.4]' is no IP address"),
            ("[::g]:80:80", ": '[::g]' is no IP address"),
            ("[fe80::1%eth0]:80:80", ": '[fe80::1%eth0]' is no IP address"),
            ("::1:80:80", " is no port; write an IPv6 address in brackets"),
            ("80:80/icmp", ": docker publishes tcp, udp and sctp"),
            ("8080-8081:80-81", ": a container's port must be one"),
            ("80-81", ": a container's port must be one"),
            ("0:80", ": ports go from 1"),
            ("80:0", ": ports go from 1"),
            ("80 :80", " is no port"),
            ("", " is no port"),
            ("80:", " is no port"),
        ]
    ),
    ('Service("web", ports=["70000:80"])', "ports: '70000:80': ports go from 1 to 65535"),
    ('Service("web", ports=["90-80:80"])', "ports: '90-80:80': the range must go upwards"),
    ('Service("web", ports=["80:80", "80:81"])', "ports: one port of the machine is given twice"),
    ('Service("web", ports=["80:80", "127.0.0.1:80:81"])', "ports: one port of the machine is given twice"),
    ('Service("web", ports=["0.0.0.0:80:80", "127.0.0.1:80:81"])', "ports: one port of the machine is given twice"),
    ('Service("web", ports=["[::1]:80:80", "[::]:80:81"])', "ports: one port of the machine is given twice"),
    ('Service("web", ports=["80:80"], instances=True)', "ports: old and new overlap"),
    ('Service("web", ports=["80:80"], public="80")', "public: '80' is no port"),
    ('Service("web", ports=["80:80"], public=True)', "public: True is no port"),
    ('Service("web", public=80)', "public: it leads to the first of ports="),
    ('Service("web", ports=[80], public=80)', "public: it leads to the first of ports="),
    ('Service("web", ports=["80-89:80"], public=80)', "public: it leads to the first of ports="),
    *(
        (
            f'Service("web", ports=["80:80"], public=80, ready=Http({ready}))',
            "public: the load balancer asks for the path",
        )
        for ready in ("host='a'", "headers={'A': 'b'}", "Expand('/%i')")
    ),
    ('Service("web", ports=["53:53/udp"], public=53)', "public: it leads to the first of ports="),
    ('Service("web", ports=["127.0.0.1:80:80"], public=80)', "public: it leads to the first of ports="),
    (
        'Service("a", ports=["80:80"], public=80),Service("b", ports=["81:80"], public=80)',
        "public: another service has the public port 80 too",
    ),
    ('Service("web", volumes=["data"])', "volumes: 'data' is no volume"),
    ('Service("web", volumes=["-v:/data"])', "volumes: '-v:/data' is no volume"),
    (
        'Service("web", volumes=["./data:/data"])',
        "volumes: './data:/data': a unit has no folder that './data' could be",
    ),
    *(
        (f'Service("web", volumes=[{volume!r}])', f"volumes: {volume!r}{why}")
        for volume, why in [
            ("data/x:/data", ": a unit has no folder that 'data/x' could be relative to"),
            ("../data:/data", ": a unit has no folder"),
            ("~/data:/data", ": a unit has no folder"),
            (".:/data", ": a unit has no folder"),
            ("/data", " is no volume"),
            ("a:/data", " is no volume; it must be"),
            ("shop data:/data", " is no volume"),
            ("shop-data:data", " is no volume"),
            ("shop-data:/", " is no volume"),
            ("shop-data:", " is no volume"),
            ("shop-data:/data:readonly", ": docker does not mount it as 'readonly'"),
            ("shop-data:/data:", ": docker does not mount it as ''"),
            ("shop-data:/data:ro,rw", ": docker does not mount it as 'ro,rw'"),
            ("shop-data:/data:rshared", ": docker takes 'rshared' for a path of the machine only"),
            ("/data:/data:nocopy", ": docker takes 'nocopy' for a named volume only"),
        ]
    ),
    ('Service("web", env=["A"])', "env: it must be a mapping of names to values"),
    ('Service("web", env={"a=b": "1"})', "env: 'a=b' is no name of a variable"),
    ('Service("web", env={"a b": "1"})', "env: 'a b' is no name of a variable"),
    ('Service("web", env={"": "1"})', "env: it must not be empty"),
    ('Service("web", env={"A": None})', "env: A must be a text, a number or a bool, not None"),
    ('Service("web", env={"A": float("inf")})', "env: A must be a text, a number or a bool, not inf"),
    ('Service("web", env={"A": [1]})', "env: A must be a text, a number or a bool"),
    ('Service("web", env={"DB_PASSWORD": "x"})', "env: DB_PASSWORD looks like a secret"),
    ('Service("web", instances=0)', "instances: it must be a number from 1 to 100"),
    ('Service("web", instances=False)', "instances: it must be a number from 1 to 100"),
    ('Service("web", start=[1])', "start: it must be a text, not 1"),
    ('Service("web", ready="/health")', "ready: it must be Http(...), Tcp(...) or Command(...), not"),
    ('Service("web", ready=Http("/a#b"))', "ready: Http('/a#b'): what follows # is never sent"),
    ('Service("web", ready=Http(host="a b"))', "ready: Http(host='a b'): it must be a name"),
    ('Service("web", ready=Http(host="a/b"))', "ready: Http(host='a/b'): it must be a name"),
    ('Service("web", ready=Http(https=1))', "ready: Http(https=1): it must be True or False"),
    ('Service("web", ready=Http(headers=["A: b"]))', "it must be a mapping such as"),
    ('Service("web", ready=Http(headers={"A b": "c"}))', "'A b' is no name of a header"),
    ('Service("web", ready=Http(headers={"@f": "c"}))', "'@f' is no name of a header"),
    ('Service("web", ready=Http(headers={"host": "c"}))', "ready: Http(headers=...): host: write host= instead"),
    ('Service("web", ready=Http(headers={"A": " "}))', "ready: Http(headers=...): A must not be empty"),
    ('Service("web", ready=Http(headers={"A": 1}))', "ready: it must be a text, not 1"),
    ('Service("web", ready=Http("health"))', "ready: Http('health'): the path must begin with \"/\""),
    ('Service("web", ready=Tcp(0))', "ready: 0 is no port"),
    ('Service("web", ready=Command(""))', "ready: Command(''): it must be one line"),
    ('Service("web", restart_sec="5")', "restart_sec: it must be whole seconds, from 0 to 172800, not '5'"),
    ('Service("web", stop_sec=0)', "stop_sec: it must be whole seconds, from 1 to 172800, not 0"),
    ('Service("web", after=["web"])', "after: a service cannot wait for itself"),
    ('Service("web", requires=["a b.service"])', "requires: 'a b.service' is no name of a service or a unit"),
    ('Service("web", after=["a;b.service"])', "after: 'a;b.service' is no name of a service or a unit"),
    ('Service("web", machine_of="a b.service")', "machine_of: 'a b.service' is no name of a service or a unit"),
    ('Service("web", conflicts=["a b"])', "conflicts: 'a b' is no name of a unit, or pattern of names"),
    ('Service("web", machine_id="a b")', "machine_id: 'a b' is no id of a machine"),
    ('Service("web", requires=["redi"]),Service("redis")', "is neither a service of this Fleetfile nor a systemd unit"),
    (
        'Service("web", requires=["db"]),Service("db", requires=["web"])',
        "requires: they wait for each other: web -> db -> web",
    ),
    ('Service("web", machine_of="db"),Service("db", instances=2)', "machine_of: 'db' must have one instance"),
    ('Service("web", machine_of="d"),Service("db")', "machine_of: 'd' is neither a service"),
    (
        'Service("web", machine_metadata={"a": None})',
        "machine_metadata: a must be a text, a number or a bool, not None",
    ),
    ('Service("web", machine_metadata={"a": [["b"]]})', "machine_metadata: a must be a text, a number or a bool, not"),
    ('Service("web", machine_metadata={"a": Expand("%m")})', "machine_metadata: it must be a plain text: Expand(...)"),
    ('Service("web", machine_metadata={Expand("a"): 1})', "machine_metadata: it must be a plain text: Expand(...)"),
    ('Service("web", machine_id="75d3f2e8...")', "machine_id: '75d3f2e8...' is no id of a machine; leave the dots out"),
    *(
        (f'Service("web", image={image!r})', f"image: {image!r}: nothing replaces variables in it; write what they")
        for image in ("$REGISTRY/web:1", "${REGISTRY}/web", "redis:${TAG}", "redis:$(cat TAG)")
    ),
    *(
        (f'Service("web", instances=2), Service("db", {word}=["web@{at}"])', f"{word}: 'web@{at}' is neither a service")
        for word in ("after", "requires", "machine_of")
        for at in (1, 3)
    ),
    *(
        (f'Service("web", instances=2), Service("db", {word}=["web@2"])', 'did you mean "web@2.service"?')
        for word in ("after", "requires", "machine_of")
    ),
    ('Service("web", start=["/bin/serve", "--port=80"])', "start: it must be one line, the program with its words"),
    ('Service("web", start=[])', "start: it must be one line"),
    ('Service("web", machine_metadata="role")', "machine_metadata: 'role' is no metadata"),
    ('Service("web", machine_id="a", conflicts=["db"])', "conflicts: fleet refuses conflicts together with machine_id"),
    ('Service("web", global_unit=1)', "global_unit: it must be True or False"),
    ('Service("web", global_unit=True, instances=2)', "global_unit: a unit on every machine has no instances="),
    ('Service("web", global_unit=True, conflicts=["db"])', "conflicts: a unit on every machine cannot choose"),
    ('Service("web", unit={"a b": "c"})', "unit: 'a b' is no name of an option"),
    ('Service("web", service=["x"])', "service: it must be a mapping of option names to values, or a list of pairs"),
    ('Service("web", unit=5)', "unit: it must be a mapping of option names to values, or a list of pairs, not 5"),
    ('Service("web", env={"A": 10**5000})', "env: Exceeds the limit"),
    ('Service("web", ports=["9" * 5000])', "ports: Exceeds the limit"),
    ('Service("web", ports=[True])', "ports: True is no port"),
    ('Service("web", instances=1e400)', "instances: it must be a number from 1 to 100"),
    ('Service("web", instances=float("nan"))', "instances: it must be a number from 1 to 100"),
    ('Service("web", ready=Http("/", float("nan")))', "ready: nan is no port"),
    (
        'Service("web", rollout=Rolling(min_healthy_sec=float("inf")))',
        "rollout: min_healthy_sec: it must be whole seconds",
    ),
    ('Service("web", rollout="fast")', "rollout: it must be Rolling(...) or BlueGreen(...)"),
    (
        'Service("web", rollout=Rolling(max_parallel="no"))',
        "rollout: max_parallel: it must be a number from 1 on, or a share",
    ),
    ('Service("web", rollout=Rolling(min_healthy_sec=-1))', "rollout: min_healthy_sec: it must be whole seconds"),
    (
        'Service("web", rollout=BlueGreen(healthy_deadline_sec=0))',
        "rollout: healthy_deadline_sec: it must be whole seconds",
    ),
    ('Service("web", instances=True, rollout=Rolling())', "rollout: instances=True means BlueGreen(...)"),
    ('Service("web"),Service("web")', "two services have this name"),
    ('Service("shop-beacon")', "this is the name of the app's own beacon"),
    ('"web"', "services: each entry must be a Service(...), not a str"),
    ("", "services: it must be a list with at least one Service(...)"),
]


@pytest.mark.parametrize(("services", "told"), _RULES, ids=[told for _, told in _RULES])
def test_a_mistake_is_told(tmp_path: Path, services: str, told: str) -> None:
    """One mistake, one message, and it names the place."""
    problems = mistakes(tmp_path, services)
    assert [problem for problem in problems if told in problem] != [], problems
    assert all(problem.startswith("Fleetfile.py:") for problem in problems)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('app="Shop", image="a/b"', "app: 'Shop' is no name"),
        ('app="shop", image="acme/shop:1"', "image: 'acme/shop:1' is no name to push to"),
        *(
            (
                f'app="shop", image={image!r}',
                f'image: {image!r} is no name to push to, such as "hackuman/behavioral": {why}',
            )
            for image, why in [
                ("acme//shop", "a part of the name is empty"),
                ("acme/shop/", "a part of the name is empty"),
                ("acme/a..b", "each part of the name must have"),
                ("Acme/shop", "the name must be lower case"),
                ("acme/shop@sha256:1", "leave out tag, digest and registry"),
                ("localhost:5000/shop", "leave out tag, digest and registry"),
                ("registry.example.org/shop", "'registry.example.org' is a registry"),
                ("", "the name is missing"),
                (5, "it must be a text"),
            ]
        ),
        ('app="shop", imag="a/b"', 'imag: no such keyword; did you mean "image"?'),
        ('app="shop"', "image: it has none"),
    ],
)
def test_a_mistake_of_the_app_itself_is_told(tmp_path: Path, more: str, told: str) -> None:
    """The Fleetfile's own keywords are checked like those of services."""
    assert any(told in problem for problem in mistakes(tmp_path, 'Service("web")', more))


def test_five_mistakes_are_five_messages(tmp_path: Path) -> None:
    """All of them at once, in the order of their lines, each at the line of its keyword."""
    problems = mistakes(
        tmp_path,
        'Service("web",\n instances=0,\n ports=["x"],\n),\nService("db", comand="a",\n'
        ' ready=Http("x")),\nService("Q"),',
    )
    assert [problem.split(": ")[0] for problem in problems] == [f"Fleetfile.py:{line}" for line in (4, 5, 7, 8, 9)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fleet = (", "Fleetfile.py:1: "),
        ("import nowhere_to_be_found", "Fleetfile.py:1: ModuleNotFoundError"),
        ("x = 1\ny = x / 0", "Fleetfile.py:2: ZeroDivisionError"),
    ],
)
def test_a_file_that_does_not_run_says_where(tmp_path: Path, text: str, told: str) -> None:
    """In the file's own lines, without a traceback."""
    (tmp_path / "Fleetfile.py").write_text(text)
    with pytest.raises(FleetfileError) as error:
        load(tmp_path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("sys.exit()", "SystemExit"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("sys.exit('no region')", "SystemExit: no region"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
    ],
)
@pytest.mark.parametrize("declared", ["", 'Fleetfile(app="shop", services=[Service("web", image="web:1")])'])
def test_a_file_that_ends_the_program_is_a_mistake(tmp_path: Path, ending: str, reason: str, declared: str) -> None:
    """Also after its Fleetfile(...): the program must not end before it has declared what there is."""
    (tmp_path / "Fleetfile.py").write_text(f"import sys\n{HEAD}{declared}\n{ending}\n")
    with pytest.raises(FleetfileError) as error:
        load(tmp_path)
    assert f"Fleetfile.py:4: it ended early ({reason}). To refuse a deployment, raise" in str(error.value)
    assert "nothing was touched" in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys\nsys.exit()", "regions.py:2: it ended early (SystemExit)"),
        ("x = 1\ny = x / 0", "regions.py:2: ZeroDivisionError"),
        ("fleet = (", "SyntaxError: '(' was never closed (regions.py, line 1)"),
    ],
)
def test_a_module_beside_it_that_does_not_run_says_where(tmp_path: Path, text: str, reason: str) -> None:
    """In the line of the Fleetfile that imports it, and in its own."""
    (tmp_path / "regions.py").write_text(text)
    (tmp_path / "Fleetfile.py").write_text("\nimport regions\n")
    with pytest.raises(FleetfileError) as error:
        load(tmp_path)
    assert f"Fleetfile.py:2: {reason}" in str(error.value)


def test_no_fleetfile_says_what_to_do(tmp_path: Path) -> None:
    """Where it was looked for, and how to point elsewhere."""
    with pytest.raises(FleetfileError, match="fleetcaptain:project"):
        load(tmp_path)


def test_a_service_that_needs_no_image_may_have_none(tmp_path: Path) -> None:
    """Own start lines need not be docker's."""
    assert app(tmp_path, 'Service("web", start="/bin/sleep 9")', 'app="shop"').services[0].start == ("/bin/sleep 9",)


@pytest.mark.parametrize("services", ["5", "None", "'web'", "{1: 2}", "object()", "10**5000"])
def test_services_must_be_a_list(tmp_path: Path, services: str) -> None:
    """Whatever else is given is one mistake."""
    (tmp_path / "Fleetfile.py").write_text(
        f'from fleetcaptain import Fleetfile\nFleetfile(app="shop", services={services})\n'
    )
    with pytest.raises(FleetfileError, match=r"services: it must be a list with at least one Service\(\.\.\.\)"):
        load(tmp_path)


@pytest.mark.parametrize("keyword", ["image", "command", "env", "unit", "ready", "not_secret"])
@pytest.mark.parametrize("given", ["Odd()", "[Odd()]", "{'a': Odd()}", "Http(port=Odd())", "endless"])
def test_a_value_that_fails_when_it_is_read_is_a_mistake(keyword: str, given: str, tmp_path: Path) -> None:
    """Whatever its class does."""
    odd = "class Odd:\n    def __repr__(self): raise RuntimeError\n\nendless = []\nendless.append(endless)\n"
    fleet = f"fleet = Fleetfile(app='shop', services=[Service('web', {keyword}={given})])"
    (tmp_path / "Fleetfile.py").write_text(f"from fleetcaptain import *\n{odd}{fleet}\n")
    with pytest.raises(FleetfileError, match=rf"Fleetfile\.py:7: (?:service 'web': {keyword}: |RecursionError)"):
        load(tmp_path)


@pytest.mark.parametrize(
    "line", ["/usr/bin/docker run ${IMAGE}", "/bin/sh -c 'IMAGE=$(/opt/image) && exec docker run $IMAGE serve'"]
)
@pytest.mark.parametrize("keyword", ["start", "after_stop"])
def test_a_custom_command_that_says_the_image_needs_one(tmp_path: Path, keyword: str, line: str) -> None:
    """One that says none needs nothing to build from."""
    lines = {"start": "/bin/serve", keyword: line}
    arguments = ", ".join(f"{word}={value!r}" for word, value in lines.items())
    (tmp_path / "Fleetfile.py").write_text(f'{HEAD}Fleetfile(app="shop", services=[Service("web", {arguments})])\n')
    with pytest.raises(FleetfileError) as error:
        load(tmp_path)
    (problem,) = error.value.problems
    assert "image: there is no" in problem
    assert "must not call it IMAGE" in problem
    (tmp_path / "Fleetfile.py").write_text(f'{HEAD}Fleetfile(app="shop", services=[Service("web", start="/bin/a")])\n')
    load(tmp_path)
