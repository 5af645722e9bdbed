"""What a Fleetfile may not set in its units' sections, and what it says to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.fleetfile.unit_options import RESERVED_OPTIONS, RESERVED_WITH_DOCKER, options_of
from fleetcaptain.fleetfile.validation_error import ValidationError
from tests.unit.fleetfile.written import app, mistakes, service

ROOT = Path(__file__).resolve().parents[3]
KEYWORDS = {"Unit": "unit", "Service": "service", "X-Fleet": "x_fleet"}
RESERVED = [(section, option, why) for section, options in RESERVED_OPTIONS.items() for option, why in options.items()]


@pytest.mark.parametrize(("section", "option", "why"), RESERVED, ids=[option for _, option, _ in RESERVED])
@pytest.mark.parametrize("other", [str, str.lower])
def test_a_reserved_option_is_refused_with_what_to_write_instead(
    section: str, option: str, why: str, other: object, tmp_path: Path
) -> None:
    """In any case of letters, also as one of several values, and also beside a custom start."""
    name = option.lower() if other is str.lower else option
    for more in ("", ", start='/bin/serve'"):
        (problem,) = mistakes(tmp_path, f'Service("web", {KEYWORDS[section]}={{{name!r}: ["a", "b"]}}{more})')
        assert f"{KEYWORDS[section]}: {name}: {why}" in problem
    assert any(word in why for word in ("write ", "remove it"))


@pytest.mark.parametrize(("option", "why"), RESERVED_WITH_DOCKER.items())
def test_what_docker_cannot_do_is_refused_where_docker_is_the_main_process(
    option: str, why: str, tmp_path: Path
) -> None:
    """A custom start may."""
    value = "notify" if option == "Type" else "x"
    (problem,) = mistakes(tmp_path, f'Service("web", service={{{option!r}: {value!r}}})')
    assert why in problem
    spec = service(tmp_path, f"service={{{option!r}: {value!r}}}, start='/bin/serve'")
    assert spec.service == ((option, value),)


@pytest.mark.parametrize("kind", ["simple", "exec", "oneshot", "idle"])
def test_docker_may_be_any_type_that_needs_no_word_from_it(kind: str, tmp_path: Path) -> None:
    """With the others systemd would wait for its word until the deadline."""
    assert service(tmp_path, f"service={{'Type': {kind!r}}}").service == (("Type", kind),)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{'Environment': 'IMAGE=other'}", "service: Environment: IMAGE is reserved: the unit sets or uses it itself"),
        ("{'Environment': '\"IMAGE=other\"'}", "Environment: IMAGE is"),
        ("{'Environment': \"'IMAGE=other'\"}", "Environment: IMAGE is"),
        ("{'Environment': 'A=b \"C=d e\" IMAGE=other'}", "Environment: IMAGE is"),
        ("{'Environment': 'IM\"AG\"E=other'}", "Environment: IMAGE is"),
        (r"{'Environment': '\\x49MAGE=other'}", "Environment: IMAGE is"),
        ("{'Environment': ['A=b', 'IMAGE=other']}", "Environment: IMAGE is"),
        ("[('Environment', 'A=b'), ('Environment', 'IMAGE=other')]", "Environment: IMAGE is"),
        ("{'Environment': 'FLEETCAPTAIN_APP=other'}", "Environment: FLEETCAPTAIN_APP is"),
        ("{'Environment': 'FLEETCAPTAIN_ANY='}", "Environment: FLEETCAPTAIN_ANY is"),
        ("{'Environment': 'COREOS_PRIVATE_IPV4=10.0.0.1'}", "Environment: COREOS_PRIVATE_IPV4 is"),
        ("{'Environment': 'MAINPID=1'}", "Environment: MAINPID is"),
        ("{'UnsetEnvironment': 'IMAGE'}", "UnsetEnvironment: IMAGE is"),
        ("{'UnsetEnvironment': 'PATH'}", "UnsetEnvironment: the unit's own lines find curl and other programs by PATH"),
        ("{'PassEnvironment': 'A FLEETCAPTAIN_KEY'}", "PassEnvironment: FLEETCAPTAIN_KEY is"),
        ("{'Environment': 'PATH=/opt/bin'}", "add /usr/bin to it"),
        ("{'Environment': 'A=b c'}", "systemd ignores 'c'"),
        ("{'Environment': 'A=\"b'}", "the quotes are not balanced"),
        ("{'ProtectSystem': 'strict'}", "ProtectSystem=strict: the unit's own lines need the machine's files"),
        ("{'RuntimeDirectory': 'shop fleetcaptain/shop'}", "RuntimeDirectory=shop fleetcaptain/shop: systemd removes"),
        ("{'Type': 'forkng'}", "Type=forkng: systemd does not know this value"),
        (
            "{'Nice': None}",
            "service: Nice must be a string, a number or a bool, not None; remove it to keep the default",
        ),
        ("{'Nice': [1, None]}", "service: Nice must be"),
        ("{'Nice': {}}", "service: Nice must be"),
        ("{'Nice': b'5'}", "service: Nice must be"),
        ("{'Nice': float('nan')}", "service: Nice must be"),
        ("{'Nice': ''}", "service: Nice: must not be empty"),
        ("{None: 1}", "service: None is not an option name"),
        ("None", "service: must be a mapping of option names to values, or a list of pairs, not None"),
        ("5", "service: must be a mapping of option names to values, or a list of pairs, not 5"),
        ("'Nice=5'", "service: must be a mapping"),
        ("['Nice=5']", "'Nice=5' is not a pair"),
        ("[('Nice',)]", "is not a pair"),
    ],
)
def test_a_value_that_takes_away_what_a_unit_stands_on_is_refused(options: str, says: str, tmp_path: Path) -> None:
    """Whatever form systemd takes it in; and what is no value at all."""
    problems = mistakes(tmp_path, f'Service("web", service={options})')
    assert [problem for problem in problems if says in problem], problems


@pytest.mark.parametrize(
    "arguments",
    [
        "service={'Restart': 'on-failure', 'RemainAfterExit': True, 'Nice': -5, 'CPUWeight': 10.5}",
        "service={'Environment': ['DOCKER_CONFIG=/etc/docker', 'HTTP_PROXY=http://proxy:3128', 'A=\"b c\"']}",
        "service={'Environment': 'PATH=/opt/bin:/usr/bin:/bin', 'EnvironmentFile': '-/etc/shop.env'}",
        "service={'Environment': 'IMAGE_TAG=1 MY_IMAGE=x', 'UnsetEnvironment': 'LANG'}",
        "service={'KillMode': 'none', 'LimitNOFILE': 65536, 'PrivateTmp': 'true', 'ProtectSystem': 'full'}",
        "service={'RuntimeDirectory': 'shop', 'Slice': 'shop.slice', 'SuccessExitStatus': '3'}",
        "unit={'BindsTo': 'db.service', 'OnFailure': 'alarm@%n.service', 'ConditionPathExists': ['/a', '/b']}",
        "unit={'StartLimitIntervalSec': 0, 'Description': 'other'}",
        "x_fleet={'X-ConditionMachineMetadata': 'disk=ssd', 'Replaces': 'old@*.service'}",
    ],
)
def test_options_that_a_unit_can_stand_are_taken(arguments: str, tmp_path: Path) -> None:
    """A refusal of a good one would be a defect too."""
    service(tmp_path, arguments)


def test_bools_are_written_as_systemd_writes_them(tmp_path: Path) -> None:
    """And a list is an option several times."""
    spec = service(tmp_path, "service={'RemainAfterExit': True, 'LogExtraFields': ['A=1', 'B=2']}")
    assert spec.service == (("RemainAfterExit", "true"), ("LogExtraFields", "A=1"), ("LogExtraFields", "B=2"))


def test_a_process_that_nothing_ends_is_refused(tmp_path: Path) -> None:
    """docker's container is stopped by docker."""
    given = "service={'KillMode': 'none'}"
    (problem,) = mistakes(tmp_path, f'Service("web", start="/bin/serve", {given})')
    assert "service: KillMode=none: systemd would stop none of the processes of start=; write stop=" in problem
    service(tmp_path, f'start="/bin/serve", stop="/bin/end", {given}')
    service(tmp_path, given)


@pytest.mark.parametrize("name", ["FLEETCAPTAIN_APP", "FLEETCAPTAIN_X"])
def test_the_container_learns_of_itself_from_its_unit_only(name: str, tmp_path: Path) -> None:
    """An app that took itself for another service would register as that one."""
    problems = mistakes(tmp_path, f'Service("web", env={{{name!r}: "x"}})')
    assert [problem for problem in problems if f"env: {name} is reserved" in problem]


@pytest.mark.parametrize("name", ["COREOS_PRIVATE_IPV4", "IMAGE", "INVOCATION_ID", "MAINPID"])
def test_the_machines_variables_can_be_given_to_the_container(name: str, tmp_path: Path) -> None:
    """The unit's own lines do not see them, so any value will do."""
    assert service(tmp_path, f"env={{{name!r}: 'x'}}").env == ((name, "x"),)


def test_an_option_that_fleet_ignores_is_refused_at_its_line(tmp_path: Path) -> None:
    """With the nearest one."""
    (problem,) = mistakes(tmp_path, 'Service("web",\n x_fleet={"machineof": "a.service"})')
    assert "Fleetfile.py:4: service 'web': x_fleet: machineof: fleet does not know this option" in problem
    assert 'did you mean "MachineOf"?' in problem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "unit={'Nice': 5}",
            "unit: Nice: systemd reads it only in [Service] and ignores it here; write it into service=",
        ),
        ("unit={'ExecStart': '/bin/x'}", "unit: ExecStart: systemd reads it only in [Service]"),
        ("service={'BindsTo': 'a.service'}", "service: BindsTo: systemd reads it only in [Unit]"),
        (
            "service={'LimitNOFLE': 5}",
            'service: LimitNOFLE: systemd does not know this option and ignores it; did you mean "Limit',
        ),
        (
            "service={'MachineOf': 'a.service'}",
            "MachineOf: fleet reads it only in [X-Fleet]; write it into x_fleet=",
        ),
        ("unit={'X-Conflicts': 'a@*'}", "unit: X-Conflicts: fleet reads it only in [X-Fleet]"),
        ("service={'Restart': 'maybe'}", "service: Restart=maybe: systemd does not know this value"),
        ("service={'EnvironmentFile': 'x.env'}", "service: EnvironmentFile=x.env: systemd ignores a relative path"),
        (
            "service={'OnCalendar': 'hourly'}",
            "service: OnCalendar: systemd reads it only in [Timer], and a service has no timer",
        ),
        (
            "unit={'OnBootSec': 5}",
            "unit: OnBootSec: systemd reads it only in [Timer], and a service has no timer; write a loop",
        ),
        (
            "unit={'WantedBy': 'x.target'}",
            "unit: WantedBy: systemd reads it only in [Install], and fleet starts units itself",
        ),
        ("service={'Alias': 'x.service'}", "service: Alias: systemd reads it only in [Install], and fleet"),
        (
            "service={'ListenStream': '80'}",
            "ListenStream: systemd reads it only in [Socket], and a service has no socket",
        ),
        (
            "unit={'PathExists': '/x'}",
            "unit: PathExists: systemd reads it only in [Path], and a service has no path unit",
        ),
        ("service={'nice': 5}", 'service: nice: systemd does not know this option and ignores it; did you mean "Nice"'),
    ],
)
def test_an_option_that_systemd_ignores_is_refused(given: str, said: str, tmp_path: Path) -> None:
    """In the wrong section, or misspelt."""
    (problem,) = mistakes(tmp_path, f'Service("web", {given})')
    assert said in problem


@pytest.mark.parametrize(
    "given", ["service={'X-Owner': 'ann'}", "unit={'SomethingQuiteNew': 'yes'}", "unit={'BindTo': 'a.service'}"]
)
def test_an_option_that_a_newer_systemd_may_have_passes(given: str, tmp_path: Path) -> None:
    """So do names that only people read, and old spellings."""
    service(tmp_path, given)


def test_all_options_are_in_one_report(tmp_path: Path) -> None:
    """Each with its own advice."""
    (problem,) = mistakes(tmp_path, 'Service("web", service={"User": "core", "ExecStartPre": "/bin/a", "Nice": 5})')
    assert "User: " in problem
    assert "before_start=" in problem


def test_the_docs_name_every_reserved_option() -> None:
    """With the keyword to use instead."""
    text = (ROOT / "docs" / "fleetfile.md").read_text()
    names = [*RESERVED_WITH_DOCKER, *(option for _, option, _ in RESERVED)]
    assert [name for name in names if f"`{name}`" not in text] == []


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(ANY, st.sampled_from(sorted(KEYWORDS)))
def test_whatever_is_given_is_taken_or_refused(value: object, section: str) -> None:
    """Never another exception; what is taken is one line of text each."""
    try:
        found = options_of(section)(value)
    except ValidationError:
        return
    assert all(text.strip() and "\n" not in text for _, text in found)


def test_the_app_needs_no_options(tmp_path: Path) -> None:
    """The defaults are none."""
    (spec,) = app(tmp_path, 'Service("web", unit={}, service=[], x_fleet=())').services
    assert (spec.unit, spec.service, spec.x_fleet) == ((), (), ())


@pytest.mark.parametrize(
    ("rules", "unit"),
    [
        ("{'MachineOf': 'web@%i'}", "web@1"),
        ("{'MachineOf': ['db.service', 'web']}", "web"),
        ("{'X-ConditionMachineOf': '%p@2'}", "a@2"),
        ("{'Conflicts': 'migrate'}", "migrate"),
        ("{'X-Conflicts': 'web@2'}", "web@2"),
        ("{'Replaces': 'old'}", "old"),
    ],
)
def test_a_unit_without_its_type_is_refused(tmp_path: Path, rules: str, unit: str) -> None:
    """fleet would look for it in vain, or never see the conflict."""
    (problem,) = mistakes(tmp_path, f'Service("web",\n x_fleet={rules})')
    assert f"{unit!r} is not a unit name, because it has no type" in problem


def test_globs_and_specifiers_stand_for_whole_names(tmp_path: Path) -> None:
    """``*`` matches the type too."""
    globs = ["%n", "%p@?.service", "db-[ab]*", '"x.service" "y@*"']
    (spec,) = app(tmp_path, f'Service("web", x_fleet={{"Conflicts": {globs!r}}})').services
    assert [value for _, value in spec.x_fleet] == globs
