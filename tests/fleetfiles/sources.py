"""Source texts of Fleetfiles, over the whole language: right words, nearly right ones, and anything Python has."""

from __future__ import annotations

import ast

from hypothesis import strategies as st

from fleetcaptain.fleetfile.values import Alive, Command, Http, Tcp

__all__ = ["sources"]

_HEAD = (
    "from fleetcaptain import Alive, BlueGreen, Build, Command, Expand, Fleetfile, Http, Literal\n"
    "from fleetcaptain import HttpRoute, Plain, Rolling, Service, Task, Tcp, TcpRoute, Window\n"
    "fleet = Fleetfile({})\n"
)
_Source = st.SearchStrategy[str]

# Whatever systemd, docker, fleet, the shell, Pulumi, etcd or a terminal takes for something of its own.
_PIECES = (
    *"abZ09 \t'\"\\$%{}()[]<>;#=|&`!?*~^:,.@/+-_é",
    *("%i", "%n", "%%", "%Y-%m-%d", "%q", "${COREOS_PRIVATE_IPV4}", "${IMAGE}", "$HOME", "$$", "$(id)", "&& ", "<{%"),
    *("--name", "-d", "--net=host", "it's", "/x?[a]", "x" * 700, "\n", "\0", "\x1b[31m", "\u202e", "\u2028", "\ud800"),
)
_texts = st.lists(st.sampled_from(_PIECES), max_size=8).map("".join)
_plain = st.lists(st.sampled_from([*"ab09", "-", "_", ".", "/"]), min_size=1, max_size=6).map("".join)
_numbers = st.sampled_from([-1, 0, 1, 2, 10, 59, 80, 100, 101, 300, 301, 600, 700, 900, 65535, 65536, 10**20])
_scalars = st.one_of(
    st.none(), st.booleans(), _numbers, st.floats(), _texts, _plain, st.binary(max_size=3), st.just(()), st.just({})
).map(repr)
_odd = st.one_of(
    _scalars,
    st.sampled_from(
        [
            "object()",
            "lambda: 1",
            "...",
            "Service",
            "{1, 2}",
            "range(3)",
            "10**5000",
            "Http",
            "float('nan')",
            "1j",
            "[[]]",
        ]
    ),
    st.lists(_scalars, max_size=3).map(lambda found: f"[{', '.join(found)}]"),
    st.lists(st.tuples(_plain.map(repr), _scalars), max_size=3).map(
        lambda found: "{" + ", ".join(f"{key}: {value}" for key, value in found) + "}"
    ),
)


def _reprs(*values: object) -> _Source:
    return st.sampled_from([repr(value) for value in values])


def _list(entry: _Source, least: int = 0) -> _Source:
    return st.lists(entry, min_size=least, max_size=3).map(lambda found: f"[{', '.join(found)}]")


def _mapping(key: _Source, value: _Source) -> _Source:
    pairs = st.lists(st.tuples(key, value), max_size=3)
    return pairs.map(lambda found: "{" + ", ".join(f"{name}: {entry}" for name, entry in found) + "}")


def _call(name: str, **arguments: _Source) -> _Source:
    given = st.fixed_dictionaries({}, optional=arguments)
    return given.map(lambda found: f"{name}({', '.join(f'{word}={value}' for word, value in found.items())})")


_text = st.one_of(_texts.map(repr), _plain.map(repr))
_word = st.one_of(_text, _text.map("Expand({})".format), _text.map("Literal({})".format), _text.map("Plain({})".format))
_seconds = _numbers.map(repr)
_names = _reprs(
    "web", "db", "job", "web@1.service", "db@%i.service", "nosuch", "docker.service", "dev-sdb.device", "x.timer"
)
_images = _reprs(
    *(
        "redis",
        "redis:7",
        "jboss/wildfly:10.1.0.Final",
        "host:5000/a/b:c",
        "redis:",
        "acme//shop",
        "A/b",
        "a@sha256:1",
        ":x",
    ),
    "a@sha256:" + "0" * 64,
)
_ports = _reprs(
    *(80, 0, 70000, "80", "8080:80", "8080-8089:80", "127.0.0.1::80", "999.1.1.1:80:80", "[::1]:80:80", "53:53/udp"),
    *("1:80/sctp", "80-81", "9-1:80", "x", 8.0, True),
)
_volumes = st.one_of(
    _reprs("data:/d", "/a:/b:ro", "./x:/y", "a:/b:rw,z", "/a", "a:b", "/a:/b:nosuch", "data:/d e"), _word
)
_options = _reprs(
    *("LimitNOFILE", "Nice", "Environment", "EnvironmentFile", "User", "Type", "Restart", "ExecStart", "KillMode"),
    *("RemainAfterExit", "TimeoutStartSec", "After", "BindsTo", "Wants", "OnFailure", "ConditionPathExists", "Global"),
    *("MachineOf", "Conflicts", "MachineMetadata", "MachineID", "X-Conflicts", "X-ConditionMachineMetadata", "", "a b"),
)
_option_values = st.one_of(
    _reprs(
        *(
            "65536",
            5,
            "IMAGE=other",
            "A=b",
            "/etc/x.env",
            "root",
            "oneshot",
            "forking",
            "on-failure",
            "no",
            "yes",
            "true",
        ),
        *("web@%i.service", "web@*", "disk=ssd", "mixed", ["a", "b"], None, 0.5, "%i"),
    ),
    _text,
)
_section = st.one_of(
    _mapping(_options, _option_values), _list(st.tuples(_options, _option_values).map("({0[0]}, {0[1]})".format))
)
_docker_words = st.one_of(
    _reprs(
        *("--net=host", "--net", "host", "--network=none", "-d", "-it", "--rm", "--restart=always", "--name", "redis"),
        *(
            "--env-file",
            "/etc/x.env",
            "-e",
            "A=b",
            "--env-file /etc/x",
            "--tmpfs",
            "/t",
            "--hostname",
            "-p",
            "--health-cmd",
        ),
        *("curl -f http://localhost/ || exit 1", "--label", "-m", "1g", "--cidfile=/x", "image", "--", "-"),
    ),
    _word,
)
_ready = st.one_of(
    _call("Http", path=_text, port=_seconds, host=_text, headers=_mapping(_text, _text), https=_reprs(True, False, 1)),
    _call("Http", path=_reprs("/", "/health", "/x?[a]"), port=_reprs(80, 443)),
    _call("Tcp", port=_seconds),
    _text.map("Command({})".format),
)
_alive = st.one_of(
    _ready,
    st.tuples(st.one_of(_ready, _scalars), _numbers, _numbers).map("Alive({0[0]}, {0[1]}, grace_sec={0[2]})".format),
)
_routes = st.one_of(
    _numbers.map(repr),
    _numbers.map("TcpRoute({})".format),
    st.tuples(_numbers, _text, _text, _text).map("HttpRoute({0[0]}, {0[1]}, {0[2]}, tls={0[3]})".format),
    st.tuples(_numbers, _plain.map(repr)).map("HttpRoute({0[0]}, path={0[1]})".format),
)
_times = dict.fromkeys(("min_healthy_sec", "healthy_deadline_sec", "progress_deadline_sec"), _seconds)
_rollouts = st.one_of(
    _call(
        "Rolling",
        max_parallel=_reprs(1, 0, 3, "25%", "0%", "101%", "x", True),
        auto_revert=_reprs(True, False, 1),
        **_times,
    ),
    _call("BlueGreen", keep_old_sec=_seconds, **_times),
)
_clock = st.one_of(_reprs("03:30", "00:00", "24:00", "3:30", "25:00", ""), _scalars)
_windows = st.tuples(
    st.one_of(_reprs("peak", "night"), _text),
    st.one_of(_reprs(2, 50), _seconds),
    _clock,
    _clock,
    st.one_of(_reprs(None, "Mon-Fri", "Sat-Mon", ["Mon", "Wed,Fri"], "Mo", []), _scalars),
    st.one_of(_reprs(None, ["2026-12-24"], ["2026-02-30"]), _scalars),
    st.one_of(_reprs("America/Chicago", "UTC", "Europe/Londom", "localtime"), _scalars),
    _seconds,
).map(lambda found: f"Window({', '.join(found)})")
_lines = st.one_of(_text, _list(_text), _reprs("/bin/sleep infinity", "-/bin/true", [], ["/bin/a", "/bin/b"]))
_build = _call(
    "Build",
    context=_reprs(".", "other", "nosuch", "../x"),
    dockerfile=_reprs("Dockerfile", "x"),
    target=st.one_of(_reprs("web", "", None), _text),
    args=st.one_of(_mapping(st.one_of(_reprs("NODE_VERSION", "a-b", "FLEETCAPTAIN_X"), _text), _word), _scalars),
    secrets=st.one_of(_list(st.one_of(_reprs("NPM_TOKEN"), _text)), _text),
    platforms=st.one_of(_reprs(["linux/amd64"], ["linux/amd64", "linux/arm64"], ["amd64"], "linux/amd64"), _scalars),
)

_SERVICE = {
    "description": _word,
    "image": st.one_of(_images, _build),
    "command": st.one_of(_word, _list(_word), _reprs("serve --port 80", "a && b > c", 'sh -c "a && b"')),
    "ports": _list(_ports),
    "public": st.one_of(_routes, _list(_routes)),
    "volumes": _list(_volumes),
    "env": _mapping(st.one_of(_reprs("A", "discovery.type", "a b", "a=b", "", "1"), _text), st.one_of(_word, _scalars)),
    "docker_args": _list(_docker_words),
    "not_secret": _list(_text),
    "instances": _reprs(1, 2, 3, 100, 101, 0, True, False, 1.0),
    "scale": _list(_windows),
    "start": _lines,
    "before_start": _lines,
    "after_start": _lines,
    "before_stop": _lines,
    "stop": _lines,
    "after_stop": _lines,
    "reload": _lines,
    "ready": _ready,
    "alive": _alive,
    "restart_sec": _seconds,
    "stop_sec": _seconds,
    "start_sec": _seconds,
    "after": _list(_names),
    "requires": _list(_names),
    "machine": st.one_of(_reprs("m1", "0" * 8, "a=b"), _text),
    "machine_id": st.one_of(_reprs("75d3f2e8", "0" * 32), _text),
    "machine_of": st.one_of(_names, _list(_names)),
    "machine_metadata": st.one_of(_list(_reprs("disk=ssd", "disk", "a=b=c", "=x")), _mapping(_plain.map(repr), _text)),
    "conflicts": _list(st.one_of(_reprs("web@*", "db", "*", "[a-", "web@%i.service"), _text)),
    "global_unit": _reprs(True, False, 1),
    "unit": _section,
    "service": _section,
    "x_fleet": _section,
    "rollout": _rollouts,
    "versions": _list(_text),
    "renamed_from": st.one_of(_names, _text),
    "unknown": _scalars,
}


_safe = st.lists(
    st.sampled_from([*"ab09 \t'\"\\%{}()[]<>;#=|&`!?*~^:,@/_é", "%Y-%m-%d", "$HOME", "$$", "&& ", "<{%", "it's"]),
    max_size=6,
).map(lambda pieces: f"x{''.join(pieces)}x")
_spelled = st.one_of(
    _plain.map(repr),
    _safe.map(repr),
    _safe.map(repr).map("Literal({})".format),
    _reprs("es-%i", "a%%b %n", "${COREOS_PRIVATE_IPV4}:80", "$$x %H \\ '\"").map("Expand({})".format),
)
_spelled_plain = _safe.map(repr).map("Plain({})".format)
_commands = _reprs("/bin/sleep infinity", "-/bin/true", ["/bin/a -x", "/bin/b %i ${X}"], [])
_whole = _reprs(1, 2, 10, 60, 250)

_RIGHT = {
    "description": _spelled,
    "image": st.one_of(
        _reprs("redis:7", "jboss/wildfly:10.1.0.Final", "host:5000/a/b:c"),
        _reprs(
            "Build()", "Build(target='web', args={'A': 1}, secrets=['B'], platforms=['linux/amd64'], only=['Docker*'])"
        ).map(ast.literal_eval),
    ),
    "command": st.one_of(_list(_spelled, 1), _reprs("serve --port 80", "sh -c 'a && b'", "a 'b c' d\\ e")),
    "ports": st.one_of(_reprs([80], ["8080-8089:80"], ["127.0.0.1:8080-8081:80", "53:53/udp"], [6379, "[::1]::81"])),
    "public": _reprs(None),
    "volumes": _list(
        _reprs("data-d:/d", "/a:/b:ro").flatmap(lambda one: st.sampled_from([one, f"Expand({one})"])), 1
    ).filter(lambda text: text.count("/d") < 2 and text.count("/b") < 2),
    "env": _mapping(
        _reprs("A", "discovery.type", "x-y"),
        st.one_of(_spelled, _spelled_plain, _reprs(0, 0.5, True, "", "https://a/?b=c&d")),
    ),
    "docker_args": st.lists(
        st.one_of(
            _reprs("--net=host", "--init", "--privileged=false", "--hostname=x"),
            _reprs(("--env-file", "/etc/x.env"), ("-m", "1g"), ("--tmpfs", "/t")).map(lambda pair: pair[1:-1]),
            _spelled.map("'--health-cmd', {}".format),
            _spelled.map("'-e', {}".format).filter(lambda text: "Expand('$" not in text),
        ),
        max_size=3,
    ).map(lambda found: f"[{', '.join(found)}]"),
    "not_secret": _reprs(["SHARDING_KEY"]),
    "instances": _reprs(1, 2, 3),
    "scale": _reprs("00:30", "12:00").map(
        lambda until: f"[Window('peak', 9, '11:30', {until}, days='Mon-Fri', timezone='Europe/London')]"
    ),
    "start": _commands.filter(lambda text: text != "[]" and not text.startswith("[")),
    "before_start": _commands,
    "after_start": _commands,
    "before_stop": _commands,
    "stop": _commands,
    "after_stop": _commands,
    "reload": _commands,
    "ready": st.one_of(
        _call(
            "Http", path=_reprs("/", "/x?[a]=1", "/a'b"), port=_reprs(80), host=_reprs("a.example"), https=_reprs(True)
        ),
        _reprs(1).map(lambda _: "Tcp(80)"),
        _safe.map(repr).map("Command({})".format),
    ),
    "alive": _reprs(
        Alive(Http("/alive", 80)), Alive(Command("test -e /x"), every_sec=60), Alive(Tcp(80), failures=1, grace_sec=0)
    ),
    "restart_sec": _whole,
    "stop_sec": _whole,
    "start_sec": _reprs(30, 300, 900),
    "after": _reprs(["docker.service"], ["x.timer"]),
    "requires": _reprs([], ["docker.service"]),
    "machine": _reprs("m1"),
    "machine_id": _reprs("0" * 32),
    "machine_of": _reprs("other@1.service", ["db.service"]),
    "machine_metadata": _reprs({"disk": "ssd"}, ["disk=ssd", "disk=nvme"], "a=b"),
    "conflicts": _reprs(["web@*"], ["other@*.service", "[ab]*"]),
    "global_unit": _reprs(True, False),
    "unit": _reprs(
        {"OnFailure": "alarm@%n.service"}, {"Wants": ["a.service", "b.service"]}, [("ConditionPathExists", "/etc")]
    ),
    "service": _reprs(
        {"LimitNOFILE": 65536, "Nice": 5}, {"RemainAfterExit": "yes"}, {"EnvironmentFile": "-/etc/x.env"}
    ),
    "x_fleet": _reprs({"MachineOf": "web@%i.service"}, {"Conflicts": ["a@*", "b@*"]}, {"MachineMetadata": "disk=ssd"}),
    "rollout": _reprs(1).map(lambda _: "Rolling(max_parallel='25%', min_healthy_sec=2)"),
    "versions": _reprs(["v1.0"]),
    "renamed_from": _reprs("old_name", None),
}
_NEARLY, _ANYTHING = 17, 19


@st.composite
def _services(draw: st.DrawFn, name: str) -> str:
    words = draw(st.lists(st.sampled_from(sorted(_RIGHT)), max_size=5, unique=True))
    if draw(st.integers(0, 19)) == _ANYTHING:
        name, words = draw(st.one_of(_text, _scalars)), [*words, "unknown"]
    arguments = [name]
    for word in words:
        kind = draw(st.integers(0, _ANYTHING))
        known = _SERVICE if kind >= _NEARLY or word not in _RIGHT else _RIGHT
        arguments.append(f"{word}={draw(_odd if kind == _ANYTHING else known[word])}")
    return f"Service({', '.join(arguments)})"


_TASK_WORDS = (
    "description",
    "image",
    "command",
    "volumes",
    "env",
    "docker_args",
    "not_secret",
    "machine",
    "machine_metadata",
)
_TASK = {
    **{word: (_RIGHT[word], _SERVICE[word]) for word in _TASK_WORDS},
    "before": (_reprs(["web"], [], ["db", "web"]), _list(_names)),
    "after": (_reprs(["db"], [], ["job"]), _list(_names)),
    "timeout_sec": (_whole, _seconds),
    "unknown": (_scalars, _scalars),
}


@st.composite
def _tasks(draw: st.DrawFn, name: str) -> str:
    words = draw(st.lists(st.sampled_from(sorted(_TASK.keys() - {"command", "unknown"})), max_size=3, unique=True))
    if draw(st.integers(0, 19)) == _ANYTHING:
        name, words = draw(st.one_of(_text, _scalars)), [*words, "unknown"]
    arguments = [name]
    for word in ("command", *words):
        kind = draw(st.integers(0, _ANYTHING))
        right, nearly = _TASK[word]
        arguments.append(f"{word}={draw(_odd if kind == _ANYTHING else nearly if kind >= _NEARLY else right)}")
    return f"Task({', '.join(arguments)})"


@st.composite
def sources(draw: st.DrawFn) -> str:
    """The text of a Fleetfile with one to three services of up to five keywords each, and up to two tasks. Most values
    are right, one in seven is such as people write by mistake, and one in twenty anything."""
    count = draw(st.integers(1, 3))
    listed = ",\n    ".join(draw(_services(repr(name))) for name in ("web", "db", "job")[:count])
    words = {"app": "'shop'", "image": "'acme/shop'", "services": f"[\n    {listed},\n]"}
    tasks = [draw(_tasks(repr(name))) for name in ("migrate", "warm")[: draw(st.integers(0, 2))]]
    if tasks:
        words["tasks"] = f"[{', '.join(tasks)}]"
    kind = draw(st.integers(0, _ANYTHING))
    if kind >= _NEARLY:
        words[draw(st.sampled_from(sorted(words)))] = draw(_odd if kind == _ANYTHING else st.one_of(_text, _images))
    return _HEAD.format(", ".join(f"{word}={value}" for word, value in words.items()))
