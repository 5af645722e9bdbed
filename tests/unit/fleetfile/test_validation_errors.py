"""Every mistake that a Fleetfile can have is reported with its file, line, service and keyword."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.validation_error import represented
from tests.unit.fleetfile.written import HEAD, app, mistakes

_RULES = [
    ('Service("Web")', "the name must have lower case letters"),
    ('Service("web-abc1234")', "must not end like a blue/green generation's"),
    ('Service("web", comand="x")', 'comand: unknown keyword; did you mean "command"?'),
    ('Service("web", desc="x")', "desc: unknown keyword; write description instead"),
    ('Service("web", environment={})', "environment: unknown keyword; write env instead"),
    ('Service("web", restart="always")', 'restart: unknown keyword; write service={"Restart": ...} and'),
    ('Service("web", volume=[])', 'volume: unknown keyword; did you mean "volumes"?'),
    *(
        (f'Service("web", {word}=1)', f'{word}: unknown keyword; write docker_args=["--{option}", ...]')
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
        "is a list inside a string, which would be split at its blanks",
    ),
    *(
        (
            f'Service("web", docker_args={words!r})',
            f"docker_args: --{name}: a unit has no working directory that {path!r} could be",
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
    (
        'Service("web", after=["db"]), Service("db", after=["web"])',
        "after: these services wait for each other: web -> db -> web",
    ),
    (
        'Service("web", requires=["db"]), Service("db", after=["web"])',
        "requires: these services wait for each other: web -> db",
    ),
    *(
        (
            f'Service("db", instances=True), Service("web", unit={{{option!r}: "x.service db@1.service"}})',
            "unit: no unit has",
        )
        for option in ("BindsTo", "After", "Wants", "PartOf")
    ),
    (
        'Service("db", instances=2), Service("web", instances=3, unit={"BindsTo": "db@%i.service"})',
        "unit: no unit has the name db@3.service: db has instances=2; write db@1.service or db@2.service",
    ),
    *(
        (
            f'Service("web", ports=[80], ready={ready})',
            f'ready: "{specifier}" is not replaced in a check, which the machine agent makes; use %i %I %n %N %p ',
        )
        for ready, specifier in (
            ("Http(Expand('/%v'))", "%v"),
            ("Http(host=Expand('%l.example.org'))", "%l"),
            ("Http(headers={'X-A': Expand('%%%u')})", "%u"),
            ("Command(Expand('test %v'))", "%v"),
        )
    ),
    ('Service("web", scale=3)', "scale: must be a list of Window(...), not 3; for a fixed number write instances="),
    *(
        (f'Service("web", {keyword})', "must not end in a backslash")
        for keyword in (
            "description='a\\\\'",
            "start='/bin/a \\\\'",
            "service={'A': '\\\\'}",
            "description=Literal('\\\\')",
        )
    ),
    ('Service("web", description=3)', "description: must be a string, not 3"),
    ('Service("web", description="a\\nb")', "description: must be one line"),
    ('Service("web", command="x" * 3000)', "command: is too long"),
    ('Service("web", command=" ")', "command: must not be empty"),
    ('Service("web", description="a\\0b")', r"description: must not contain characters that are invisible or"),
    ('Service("web", description="a\\x1b[0m\\u2028")', r"remove \x1b, \u2028"),
    ('Service("web", description="a\\ud800")', r"remove \ud800"),
    ('Service("web", description="{% if %} <{% if %}")', 'description: must not contain "<{%"'),
    ('Service("web", command="a\\0b")', r"command: must not contain characters that are invisible"),
    (
        'Service("web", docker_args=["--net=host", "--name", "web"])',
        "docker_args: --name: the unit names its container",
    ),
    ('Service("web", docker_args=["--name=web"])', "docker_args: --name: the unit names its container"),
    ('Service("web", docker_args=["a\\x7f"])', r"docker_args: must not contain characters"),
    ('Service("web", env={"A": "\\u202e"})', r"env: must not contain characters"),
    ('Service("web", volumes=["/a\\0:/b"])', r"volumes: must not contain characters"),
    ('Service("web", renamed_from="Web 1")', "renamed_from: 'Web 1' is not the name of a service"),
    ('Service("web", renamed_from="web")', "renamed_from: is the name of the service itself; write its former name"),
    ('Service("web", renamed_from="shop-agent")', "renamed_from: 'shop-agent' is a service that FleetCaptain adds"),
    *(
        (f'Service("web", renamed_from="db"), Service("db"{more})', "renamed_from: 'db' is still a service of this")
        for more in ("", ', renamed_from="web"')
    ),
    (
        'Service("web", renamed_from="old"), Service("db", renamed_from="old")',
        "renamed_from: another service is renamed from 'old' too; keep one of them",
    ),
    ('Service("web", versions=["\\u200b"])', r"versions: must not contain characters"),
    ('Service("web", ready=Http("/a\\x1b"))', r"ready: must not contain characters"),
    ('Service("web", ready=Command("a\\0b"))', r"ready: must not contain characters"),
    ('Service("web", machine_metadata={"a": "\\x9b"})', r"machine_metadata: must not contain characters"),
    ('Service("web", unit={"Documentation": "<{%x%}>"})', 'unit: Documentation: must not contain "<{%"'),
    ('Service("web", before_start="/bin/echo <{%x%}>")', 'before_start: must not contain "<{%"'),
    ('Service("web", image=Build("<{%x%}>"))', 'image: must not contain "<{%"'),
    *(
        (f'Service("web", image=Build({arguments}))', f"image: Build({message}")
        for arguments, message in [
            ("only='web/'", "only='web/'): must be a list such as"),
            ("only=[]", "only=[]): must have a pattern; remove it to send the whole folder"),
            ("only=['']", "only=...): '' is not a pattern of files; write one as in a .dockerignore"),
            ("only=[1]", "only=...): 1 is not a pattern of files"),
            ("only=[Expand('%i')]", "only=...): Expand('%i') is not a pattern of files"),
            (r"only=['a\x1b']", r"only=...): 'a\x1b' is not a pattern of files"),
            ("only=['!web']", "only=...): '!web' must not begin with !; exclude files in .dockerignore"),
            ("only=['webb/']", "only=...): 'webb': matches no file in "),
            ("only=['../web']", "only=...): '../web': is outside the build's folder; name files below it"),
            ("only=['[a']", "only=...): '[a': matches no file in "),
            ('target=""', "target=''): must be the name of a stage of the Dockerfile"),
            ('target="--web"', "target='--web'): must be the name of a stage"),
            ("target=1", "target=1): must be the name of a stage"),
            ('args=["NODE=22"]', "args=['NODE=22']): must be a mapping of names to values, such as"),
            ('args={"NODE-VERSION": "22"}', "args=...): 'NODE-VERSION' is not the name of a build argument"),
            ('args={"": "22"}', "args=...): '' is not the name of a build argument"),
            ("args={1: 2}", "args=...): 1 is not the name of a build argument"),
            ('args={"FLEETCAPTAIN_CONTEXT": "x"}', "args=...): FLEETCAPTAIN_CONTEXT is reserved, because"),
            ('args={"NODE": None}', "args=...): NODE must be a string, a number or a bool, not None"),
            ('args={"NODE": Expand("%i")}', "args=...): NODE must be a string, a number or a bool, not Expand('%i')"),
            (
                r'args={"A": "a\nb\x1b<{%x"}',
                r"args=...): A must be one line without characters that are invisible or control a terminal; remove "
                r"\x1b, \n, <{%",
            ),
            ('secrets="NPM_TOKEN"', "secrets='NPM_TOKEN'): must be a list such as [\"NPM_TOKEN\"]"),
            ('secrets=["npm token"]', "secrets=...): 'npm token' is not the name of a secret; it must have letters"),
            ("secrets=[1]", "secrets=...): 1 is not the name of a secret"),
            ('platforms="linux/amd64"', "platforms='linux/amd64'): must be a list such as [\"linux/amd64\"]"),
            ('platforms=["amd64"]', "platforms=...): 'amd64' is not a platform of machines; write one such as"),
            ('platforms=["windows/amd64"]', "platforms=...): 'windows/amd64' is not a platform of machines"),
            (
                'platforms=["linux/amd64", "linux/arm64"]',
                "platforms=['linux/amd64', 'linux/arm64']): must have one platform, that of the machines; remove",
            ),
        ]
    ),
    ('Service("web", image="Redis")', "image: 'Redis' is not an image reference"),
    ('Service("web", image="--privileged")', "image: '--privileged' is not an image reference"),
    ('Service("web", image="redis:7 --privileged")', "is not an image reference"),
    ('Service("web", image="redis:7:8")', "image: 'redis:7:8' is not an image reference"),
    ('Service("web", image="redis@sha256:1")', "image: 'redis@sha256:1' is not an image reference"),
    *(
        (
            f'Service("web", image={image!r})',
            f'image: {represented(image)} is not an image reference, such as "redis:7": {why}',
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
    ('Service("web", image=Build("nowhere"))', "nowhere/Dockerfile to build web from"),
    ('Service("web", ports="80")', "ports: must be a list"),
    ('Service("web", ports=["http"])', "ports: 'http' is not a port"),
    ('Service("web", ports=["８０"])', "ports: '８０' is not a port"),  # noqa: RUF001 - other digits are the point
    ('Service("web", ports=["1.2.3:80:80"])', "ports: '1.2.3:80:80': '1.2.3' is not an IP address"),
    ('Service("web", ports=["1.2.3.400:80:80"])', "'1.2.3.400' is not an IP address"),
    *(
        (f'Service("web", ports=[{port!r}])', f"ports: {port!r}{why}")
        for port, why in [
            ("999.1.1.1:80:80", ": '999.1.1.1' is not an IP address"),
            ("localhost:80:80", ": 'localhost' is not an IP address"),
            ("01.2.3.4:80:80", ": '01.2.3.4' is not an IP address"),
            ("[1.2.3.4]:80:80", ": '[1.2.3.4]' is not an IP address"),
            ("[::g]:80:80", ": '[::g]' is not an IP address"),
            ("[fe80::1%eth0]:80:80", ": '[fe80::1%eth0]' is not an IP address"),
            ("::1:80:80", " is not a port; write an IPv6 address in brackets"),
            ("80:80/icmp", ": the protocol must be tcp, udp or sctp"),
            ("8080-8081:80-81", ": the container's port must be a single port"),
            ("80-81", ": the container's port must be a single port"),
            ("0:80", ": ports must be from 1"),
            ("80:0", ": ports must be from 1"),
            ("80 :80", " is not a port"),
            ("", " is not a port"),
            ("80:", " is not a port"),
        ]
    ),
    ('Service("web", ports=["70000:80"])', "ports: '70000:80': ports must be from 1 to 65535"),
    ('Service("web", ports=["90-80:80"])', "ports: '90-80:80': the last port of the range must not be less"),
    ('Service("web", ports=["80:80", "80:81"])', "ports: a port of the machine is published twice"),
    ('Service("web", ports=["80:80", "127.0.0.1:80:81"])', "ports: a port of the machine is published twice"),
    ('Service("web", ports=["0.0.0.0:80:80", "127.0.0.1:80:81"])', "ports: a port of the machine is published twice"),
    ('Service("web", ports=["[::1]:80:80", "[::]:80:81"])', "ports: a port of the machine is published twice"),
    ('Service("web", ports=["80:80"], instances=True)', "ports: old and new instances overlap"),
    ('Service("web", ports=["80:80"], public="80")', "public: must be a port such as 8080, HttpRoute(...), "),
    ('Service("web", ports=["80:80"], public=True)', "public: must be a port such as 8080, HttpRoute(...), "),
    *(
        (f'Service("web", {ports}public=80)', "public: the first of ports= must be a TCP port that other machines")
        for ports in ("", 'ports=["53:53/udp"], ', 'ports=["127.0.0.1:81:80"], ', 'ports=["[::1]::80"], ')
    ),
    (
        'Service("a", ports=["80:80"], public=80),Service("b", ports=["81:80"], public=80)',
        "public: port 80: another route has the same host and path",
    ),
    ('Service("web", volumes=["data"])', "volumes: 'data' is not a volume"),
    ('Service("web", volumes=["-v:/data"])', "volumes: '-v:/data' is not a volume"),
    (
        'Service("web", volumes=["./data:/data"])',
        "volumes: './data:/data': a unit has no working directory that './data' could be",
    ),
    *(
        (f'Service("web", volumes=[{volume!r}])', f"volumes: {volume!r}{why}")
        for volume, why in [
            ("data/x:/data", ": a unit has no working directory that 'data/x' could be relative to"),
            ("../data:/data", ": a unit has no working directory"),
            ("~/data:/data", ": a unit has no working directory"),
            (".:/data", ": a unit has no working directory"),
            ("/data", " is not a volume"),
            ("a:/data", " is not a volume; it must be"),
            ("shop data:/data", " is not a volume"),
            ("shop-data:data", " is not a volume"),
            ("shop-data:/", " is not a volume"),
            ("shop-data:", " is not a volume"),
            ("shop-data:/data:readonly", ": 'readonly' is not a mount mode"),
            ("shop-data:/data:", ": '' is not a mount mode"),
            ("shop-data:/data:ro,rw", ": 'ro,rw' is not a mount mode"),
            ("shop-data:/data:rshared", ": docker supports 'rshared' only for a path of the machine"),
            ("/data:/data:nocopy", ": docker supports 'nocopy' only for a named volume"),
        ]
    ),
    ('Service("web", env=["A"])', "env: must be a mapping of names to values"),
    ('Service("web", env={"a=b": "1"})', "env: 'a=b' is not a variable name"),
    ('Service("web", env={"a b": "1"})', "env: 'a b' is not a variable name"),
    ('Service("web", env={"": "1"})', "env: must not be empty"),
    ('Service("web", env={"A": None})', "env: A must be a string, a number or a bool, not None"),
    ('Service("web", env={"A": float("inf")})', "env: A must be a string, a number or a bool, not inf"),
    ('Service("web", env={"A": [1]})', "env: A must be a string, a number or a bool"),
    ('Service("web", env={"DB_PASSWORD": "x"})', "env: DB_PASSWORD looks like a secret"),
    ('Service("web", instances=0)', "instances: must be an integer from 1 to 100"),
    ('Service("web", instances=False)', "instances: must be an integer from 1 to 100"),
    ('Service("web", start=[1])', "start: must be a string, not 1"),
    ('Service("web", ready="/health")', "ready: must be Http(...), Tcp(...) or Command(...), not"),
    ('Service("web", ready=Http("/a#b"))', "ready: Http('/a#b'): HTTP never sends the part after #"),
    ('Service("web", ready=Http(host="a b"))', "ready: Http(host='a b'): must be a name"),
    ('Service("web", ready=Http(host="a/b"))', "ready: Http(host='a/b'): must be a name"),
    ('Service("web", ready=Http(https=1))', "ready: Http(https=1): must be True or False"),
    ('Service("web", ready=Http(headers=["A: b"]))', "must be a mapping such as"),
    ('Service("web", ready=Http(headers={"A b": "c"}))', "'A b' is not a header name"),
    ('Service("web", ready=Http(headers={"@f": "c"}))', "'@f' is not a header name"),
    (
        'Service("web", ready=Http(headers={"host": "c"}))',
        "ready: Http(headers=...): host cannot be set here; write host= instead",
    ),
    ('Service("web", ready=Http(headers={"A": " "}))', "ready: Http(headers=...): A must not be empty"),
    ('Service("web", ready=Http(headers={"A": 1}))', "ready: must be a string, not 1"),
    ('Service("web", ready=Http("health"))', "ready: Http('health'): the path must begin with \"/\""),
    ('Service("web", ready=Tcp(0))', "ready: 0 is not a port"),
    ('Service("web", ready=Command(""))', "ready: Command(''): must be one line"),
    ('Service("web", alive=Command(Expand("test %u")))', 'alive: "%u" is not replaced in a check'),
    ('Service("web", alive="/health")', "alive: must be Http(...), Tcp(...), Command(...) or Alive(...), not"),
    ('Service("web", alive=Alive("/health"))', "alive: must be Http(...), Tcp(...) or Command(...), not '/health'"),
    ('Service("web", alive=Http("alive"))', "alive: Http('alive'): the path must begin with \"/\""),
    ('Service("web", alive=Alive(Tcp(0)))', "alive: 0 is not a port"),
    (
        'Service("web", alive=Alive(Http("/"), every_sec=4))',
        "alive: Alive(every_sec=4): must be an integer number of seconds from 5 to 3600",
    ),
    (
        'Service("web", alive=Alive(Http("/"), failures=0))',
        "alive: Alive(failures=0): must be an integer from 1 to 100",
    ),
    ('Service("web", alive=Alive(Http("/"), failures=True))', "alive: Alive(failures=True): must be an integer from"),
    (
        'Service("web", alive=Alive(Http("/"), grace_sec=-1))',
        "alive: Alive(grace_sec=-1): must be an integer number of seconds from 0 to 172800",
    ),
    ('Service("web", ports=[80], alive=Tcp(81))', "alive: the container's port 81 is not in ports="),
    ('Service("web", alive=Tcp(), docker_args=["--net=none"])', "write alive=Command(...)"),
    (
        'Service("job", alive=Command("true"), service={"Type": "oneshot"})',
        "alive: a task (Type=oneshot) cannot have it: it ends; remove it",
    ),
    ('Service("web", restart_sec="5")', "restart_sec: must be an integer number of seconds from 0 to 172800, not '5'"),
    ('Service("web", stop_sec=0)', "stop_sec: must be an integer number of seconds from 1 to 172800, not 0"),
    ('Service("web", after=["web"])', "after: a service cannot wait for itself"),
    ('Service("web", requires=["a b.service"])', "requires: 'a b.service' is not the name of a service or a unit"),
    ('Service("web", after=["a;b.service"])', "after: 'a;b.service' is not the name of a service or a unit"),
    ('Service("web", machine_of="a b.service")', "machine_of: 'a b.service' is not the name of a service or a unit"),
    ('Service("web", conflicts=["a b"])', "conflicts: 'a b' is not the name of a unit or a pattern of names"),
    ('Service("web", machine_id="a b")', "machine_id: 'a b' is not a machine id"),
    *(
        (
            f'Service("web", renamed_from="old"),Service("db", {word}=["old"])',
            f"{word}: 'old' is now called 'web' (renamed_from); write 'web'",
        )
        for word in ("requires", "after", "machine_of")
    ),
    ('Service("web", requires=["redi"]),Service("redis")', "is neither a service of this Fleetfile nor a systemd unit"),
    (
        'Service("web", requires=["db"]),Service("db", requires=["web"])',
        "requires: these services wait for each other: web -> db -> web",
    ),
    ('Service("web", machine_of="db"),Service("db", instances=2)', "machine_of: 'db' must have one instance"),
    ('Service("web", machine_of="d"),Service("db")', "machine_of: 'd' is neither a service"),
    (
        'Service("web", machine_metadata={"a": None})',
        "machine_metadata: a must be a string, a number or a bool, not None",
    ),
    (
        'Service("web", machine_metadata={"a": [["b"]]})',
        "machine_metadata: a must be a string, a number or a bool, not",
    ),
    ('Service("web", machine_metadata={"a": Expand("%m")})', "machine_metadata: must be a plain string: Expand(...)"),
    ('Service("web", machine_metadata={Expand("a"): 1})', "machine_metadata: must be a plain string: Expand(...)"),
    ('Service("web", machine_id="75d3f2e8...")', "machine_id: '75d3f2e8...' is not a machine id; remove the dots"),
    *(
        (
            f'Service("web", image={image!r})',
            f"image: {image!r}: variables in an image reference are not replaced; write",
        )
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
    ('Service("web", start=["/bin/serve", "--port=80"])', "start: must be one line, the program with its arguments"),
    ('Service("web", start=[])', "start: must be one line"),
    ('Service("web", machine="75d3f2e8")', "machine: '75d3f2e8' is the id of a machine; write it as machine_id="),
    ('Service("web", machine="name=m1")', "machine: 'name=m1' is not the name of a machine, such as \"m1\""),
    (
        'Service("web", machine="m1", machine_metadata="name=m2")',
        "machine: machine_metadata= names a machine too; keep",
    ),
    (
        'Service("web", machine="m1", machine_id="75d3f2e8")',
        "machine: machine_id= names a machine too; keep one of them",
    ),
    ('Service("web", machine_metadata="role")', "machine_metadata: 'role' is not metadata"),
    ('Service("web", machine_id="a", conflicts=["db"])', "conflicts: fleet refuses conflicts together with machine_id"),
    ('Service("web", global_unit=1)', "global_unit: must be True or False"),
    ('Service("web", global_unit=True, instances=2)', "global_unit: a unit on every machine cannot have instances="),
    ('Service("web", global_unit=True, conflicts=["db"])', "conflicts: a unit on every machine cannot have it"),
    ('Service("web", unit={"a b": "c"})', "unit: 'a b' is not an option name"),
    ('Service("web", service=["x"])', "service: must be a mapping of option names to values, or a list of pairs"),
    ('Service("web", unit=5)', "unit: must be a mapping of option names to values, or a list of pairs, not 5"),
    ('Service("web", env={"A": 10**5000})', "env: Exceeds the limit"),
    ('Service("web", ports=["9" * 5000])', "ports: Exceeds the limit"),
    ('Service("web", ports=[True])', "ports: True is not a port"),
    ('Service("web", instances=1e400)', "instances: must be an integer from 1 to 100"),
    ('Service("web", instances=float("nan"))', "instances: must be an integer from 1 to 100"),
    ('Service("web", ready=Http("/", float("nan")))', "ready: nan is not a port"),
    (
        'Service("web", rollout=Rolling(min_healthy_sec=float("inf")))',
        "rollout: min_healthy_sec: must be an integer number of seconds",
    ),
    ('Service("web", rollout="fast")', "rollout: must be Rolling(...) or BlueGreen(...)"),
    (
        'Service("web", rollout=Rolling(max_parallel="no"))',
        "rollout: max_parallel: must be an integer of at least 1, or a share",
    ),
    (
        'Service("web", rollout=Rolling(min_healthy_sec=-1))',
        "rollout: min_healthy_sec: must be an integer number of seconds",
    ),
    (
        'Service("web", rollout=BlueGreen(healthy_deadline_sec=0))',
        "rollout: healthy_deadline_sec: must be an integer number of seconds",
    ),
    ('Service("web", instances=True, rollout=Rolling())', "rollout: instances=True requires BlueGreen(...)"),
    ('Service("web"),Service("web")', "another service has the same name; rename one of them"),
    ('Service("shop-agent")', "the app's machine agent has this name; choose another one"),
    ('"web"', "services: each entry must be a Service(...), not a str"),
    ("", "services: must be a list with at least one Service(...)"),
]


@pytest.mark.parametrize(("services", "message"), _RULES, ids=[message for _, message in _RULES])
def test_a_mistake_is_reported(tmp_path: Path, services: str, message: str) -> None:
    """One mistake, one message, and it names the place."""
    problems = mistakes(tmp_path, services)
    assert [problem for problem in problems if message in problem] != [], problems
    assert all(problem.startswith("Fleetfile.py:") for problem in problems)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('app="Shop", image="a/b"', "app: 'Shop' is not an app name"),
        ('app="shop", image="acme/shop:1"', "image: 'acme/shop:1' is not an image name to push to"),
        *(
            (
                f'app="shop", image={image!r}',
                f'image: {image!r} is not an image name to push to, such as "hackuman/behavioral": {why}',
            )
            for image, why in [
                ("acme//shop", "a part of the name is empty"),
                ("acme/shop/", "a part of the name is empty"),
                ("acme/a..b", "each part of the name must have"),
                ("Acme/shop", "the name must be lower case"),
                ("acme/shop@sha256:1", "remove the tag, digest or registry"),
                ("localhost:5000/shop", "remove the tag, digest or registry"),
                ("registry.example.org/shop", "'registry.example.org' is a registry"),
                ("", "the name is missing"),
                (5, "must be a string"),
            ]
        ),
        ('app="shop", imag="a/b"', 'imag: unknown keyword; did you mean "image"?'),
        ('app="shop"', "image: is required"),
    ],
)
def test_a_mistake_of_the_app_itself_is_reported(tmp_path: Path, more: str, message: str) -> None:
    """The Fleetfile's own keywords are checked like those of services."""
    assert any(message in problem for problem in mistakes(tmp_path, 'Service("web")', more))


def test_five_mistakes_are_five_messages(tmp_path: Path) -> None:
    """All of them at once, in the order of their lines, each at the line of its keyword."""
    problems = mistakes(
        tmp_path,
        'Service("web",\n instances=0,\n ports=["x"],\n),\nService("db", comand="a",\n'
        ' ready=Http("x")),\nService("Q"),',
    )
    assert [problem.split(": ")[0] for problem in problems] == [f"Fleetfile.py:{line}" for line in (4, 5, 7, 8, 9)]


def test_a_missing_dockerfile_is_one_mistake(tmp_path: Path) -> None:
    """With the names of all services that are built from it."""
    built = ", ".join(f'Service("{name}", image=Build("x"))' for name in "acd")
    (found,) = mistakes(tmp_path, f'{built}, Service("b")')
    file = tmp_path / "x" / "Dockerfile"
    assert found == f"Fleetfile.py:3: service 'a': image: Could not find {file} to build a, c, d from; create it"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fleet = (", "Fleetfile.py:1: "),
        ("import nowhere_to_be_found", "Fleetfile.py:1: ModuleNotFoundError"),
        ("x = 1\ny = x / 0", "Fleetfile.py:2: ZeroDivisionError"),
    ],
)
def test_a_file_that_does_not_run_says_where(tmp_path: Path, text: str, message: str) -> None:
    """In the file's own lines, without a traceback."""
    (tmp_path / "Fleetfile.py").write_text(text)
    with pytest.raises(FleetfileError) as error:
        load(tmp_path)
    assert message in str(error.value)


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
    assert f"Fleetfile.py:4: the file ended early ({reason}). To refuse a deployment, raise" in str(error.value)
    assert "nothing was changed" in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys\nsys.exit()", "regions.py:2: the file ended early (SystemExit)"),
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
    """Whatever else is given is 1 error."""
    (tmp_path / "Fleetfile.py").write_text(
        f'from fleetcaptain import Fleetfile\nFleetfile(app="shop", services={services})\n'
    )
    with pytest.raises(FleetfileError, match=r"services: must be a list with at least one Service\(\.\.\.\)"):
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
    assert "image: Could not find" in problem
    assert "do not call its variable IMAGE" in problem
    (tmp_path / "Fleetfile.py").write_text(f'{HEAD}Fleetfile(app="shop", services=[Service("web", start="/bin/a")])\n')
    load(tmp_path)
