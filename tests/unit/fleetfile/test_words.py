"""Who reads a text of the Fleetfile: words stay words, letters stay letters, and what is meant to be replaced is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.command_words import command
from fleetcaptain.fleetfile.letters import letters, sample
from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.fleetfile.values import Command, Expand, Http, Literal
from tests.unit.fleetfile.written import HEAD, mistakes, service


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("bundle exec resque QUEUE=mail", ["bundle", "exec", "resque", "QUEUE=mail"]),
        ("sh -c 'a && b > c'", ["sh", "-c", "a && b > c"]),
        ("sh -c 'exec serve --password \"$DB_PASSWORD\"'", ["sh", "-c", 'exec serve --password "$DB_PASSWORD"']),
        ('sh -lc "echo $HOME; `date`"', ["sh", "-lc", "echo $HOME; `date`"]),
        ('env A=1 bash -c "exec $0"', ["env", "A=1", "bash", "-c", "exec $0"]),
        ("echo it\\'s 'a''b'\"c d\" '' \\$HOME", ["echo", "it's", "abc d", "", "$HOME"]),
        ('grep "a|b" "x;y" "1>0"', ["grep", "a|b", "x;y", "1>0"]),
        ("awk '{print $1}' /a*", ["awk", "{print $1}", "/a*"]),
        ("serve --price 5$ --rate 50%", ["serve", "--price", "5$", "--rate", "50%"]),
        ("'A=1' serve", ["A=1", "serve"]),
        ("A=1", ["A=1"]),
        ("env A=1 serve [x] ['y']", ["env", "A=1", "serve", "[x]", "[y]"]),
        (Literal("A=1 serve"), ["A=1", "serve"]),
        ("date +%Y-%m-%d", ["date", "+%Y-%m-%d"]),
        (["it's", "", "a b", "&&", "$HOME", 'x "y"', "%d/%m"], ["it's", "", "a b", "&&", "$HOME", 'x "y"', "%d/%m"]),
        (("sh", "-c", "a | b"), ["sh", "-c", "a | b"]),
        (Literal("echo a && b $X %i"), ["echo", "a", "&&", "b", "$X", "%i"]),
        (["echo", Literal("%i")], ["echo", "%i"]),
    ],
)
def test_a_command_is_words(tmp_path: Path, written: object, words: list[str]) -> None:
    """A text is split as a shell would, of a list each entry is one word, and all of them are letters."""
    found = service(tmp_path, f"command={written!r}").command
    assert list(found) == words
    assert not any(isinstance(word, Expand) for word in found)


@pytest.mark.parametrize("text", ["serve --name es-%i 'x y'", 'serve --at "${COREOS_PRIVATE_IPV4}:%%:$$HOME"'])
def test_a_command_that_is_expanded_is_split_first(tmp_path: Path, text: str) -> None:
    """So that a value with blanks stays in its word."""
    words = service(tmp_path, f"command=Expand({text!r})").command
    assert list(words) == shlex.split(text)
    assert all(isinstance(word, Expand) for word in words)


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("a && b > c", "&&"),
        ("a&&b", "&&"),
        ("a || b", "||"),
        ("a | b", "|"),
        ("a; b", ";"),
        ("a >> /log 2>&1", ">>"),
        ("a 2>/dev/null", "2>"),
        ("a < b", "<"),
        ("a &", "&"),
        ("echo `date`", "`"),
        ("echo $(date)", "$("),
        ("echo $HOME", "$H"),
        ("echo ${HOME}", "${"),
        ('echo "$HOME"', "$H"),
        ('echo "`date`"', "`"),
        ("echo 'a'$1", "$1"),
        ("sh -c $CMD", "$C"),
    ],
)
def test_what_only_a_shell_could_read_is_refused(tmp_path: Path, text: str, operator: str) -> None:
    """It would reach the program literally. The message says how to get a shell, and how to get letters."""
    (problem,) = mistakes(tmp_path, f'Service("web", command={text!r})')
    assert f"command: no shell reads the command, so {operator} would reach the program literally" in problem
    assert f'["sh", "-c", {text!r}]' in problem
    assert command(["sh", "-c", text]) == ("sh", "-c", text)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("echo 'x", '"\'x" has an unbalanced quote'),
        ('echo "x', "'\"x' has an unbalanced quote"),
        ("echo x\\", "'\\\\' has an unbalanced quote"),
        ('sh -c "echo \\$HOME"', '"echo \\$HOME" has an escaped $ or ` in double quotes; use single quotes'),
        ("", "must not be empty"),
        (" ", "must not be empty"),
        ([], "must not be empty"),
        (5, "must be a string or a list of words, not 5"),
        ({"a": 1}, "must be a string or a list of words"),
        (["a", 5], "must be a string, not 5"),
        (["a\nb"], "must be one line"),
        (Expand("a && b"), "no shell reads the command, so && would"),
        (Expand("echo `x`"), "no shell reads the command, so ` would"),
        (Expand("echo $HOME"), '"$HOME": write ${NAME} for a variable of the machine, or $$ for a dollar sign'),
    ],
)
def test_a_command_that_cannot_be_is_refused(tmp_path: Path, written: object, why: str) -> None:
    """By its keyword, with the reason."""
    assert any(f"command: {why}" in problem for problem in mistakes(tmp_path, f'Service("web", command={written!r})'))


@given(st.text(st.sampled_from("ab '\"\\-=%{"), max_size=20))
def test_a_text_is_split_as_by_a_shell(text: str) -> None:
    """Python's own reading of quotes, for all texts without a dollar sign."""
    try:
        expected = shlex.split(text)
    except ValueError:
        expected = []
    try:
        assert list(command(text)) == expected
    except ValidationError:
        assert not expected or not letters_only(text)


def letters_only(text: str) -> bool:
    """Whether no part of it could be replaced."""
    try:
        letters(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "words",
    [
        ["--health-cmd", "curl -f http://localhost/ || exit 1"],
        ["--health-cmd=curl -f http://localhost/ || exit 1"],
        ["-e", "MSG=it's"],
        ["-e", 'JSON={"a": "b c"}'],
        ["-e", "JAVA_OPTS=-Xmx1g -Xms1g"],
        ["--env-file", "/etc/shop.env"],
        ["--entrypoint", ""],
        ["--log-opt", "tag={{.Name}}"],
        ["-e", "A=$HOME `x` %d"],
        ["--label", 'quote="a" and "b"'],
    ],
)
def test_each_entry_of_docker_args_is_one_word(tmp_path: Path, words: list[str]) -> None:
    """Whatever is in it."""
    assert list(service(tmp_path, f"docker_args={words!r}").docker_args) == words


@pytest.mark.parametrize(
    ("entry", "instead"),
    [
        ("--env-file /etc/shop.env", "['--env-file', '/etc/shop.env']"),
        ("-e X=1", "['-e', 'X=1']"),
        ("-e X=1 -e Y=2", "['-e', 'X=1', '-e', 'Y=2']"),
        ("--label 'a=b c'", "['--label', 'a=b c']"),
        ("-e MSG=it's", "['-e', \"MSG=it's\"]"),
        ("-v\t/a:/b", "['-v', '/a:/b']"),
    ],
)
def test_an_option_and_its_value_in_one_entry_are_refused(tmp_path: Path, entry: str, instead: str) -> None:
    """Once such an entry was split; the message has the list that means the same."""
    (problem,) = mistakes(tmp_path, f'Service("web", docker_args=[{entry!r}])')
    assert "contains an option and its value" in problem
    assert instead in problem
    assert service(tmp_path, f"docker_args=['--health-cmd', Literal({entry!r})]").docker_args[1] == entry


@pytest.mark.parametrize("entry", ["'A=b c'", 'A="b c"', "--label='a=b c'", '--health-cmd="curl a || exit 1"'])
def test_quotes_that_a_shell_would_remove_are_refused(tmp_path: Path, entry: str) -> None:
    """Once they were removed; now they would be letters."""
    (problem,) = mistakes(tmp_path, f'Service("web", docker_args=["-l", {entry!r}])')
    assert "the quotes would be part of the word" in problem
    assert service(tmp_path, f"docker_args=['-l', Literal({entry!r})]").docker_args == ("-l", entry)


@pytest.mark.parametrize("keyword", ["command", "docker_args", "env", "volumes", "description", "ready"])
@pytest.mark.parametrize("text", ["%i", "es-%i", "%n.%H", "%m"])
def test_a_text_that_could_be_either_is_refused(tmp_path: Path, keyword: str, text: str) -> None:
    """With both ways to write it, the same in all keywords that the container gets, and both are taken."""
    values = {
        "command": "['serve', {0}]",
        "docker_args": "['--hostname', {0}]",
        "env": "{{'HOST': {0}}}",
        "volumes": "[{1}('/data/{2}:/data')]",
        "description": "{0}",
        "ready": "Command({0})",
    }
    written = values[keyword]
    (problem,) = mistakes(tmp_path, f'Service("web", {keyword}={written.format(repr(text), "str", text)})')
    assert f"{keyword}: {text[text.index('%') :][:2]} is ambiguous" in problem
    assert "write Expand(" in problem
    assert "or Literal(" in problem
    for mark in ("Expand", "Literal"):
        spec = service(tmp_path, f"{keyword}={written.format(f'{mark}({text!r})', mark, text)}")
        assert text in str(getattr(spec, keyword))
        assert ("Expand(" in repr(getattr(spec, keyword))) == (mark == "Expand")


@pytest.mark.parametrize(
    ("text", "expand"),
    [
        ("${COREOS_PRIVATE_IPV4}", "${COREOS_PRIVATE_IPV4}"),
        ("$COREOS_PUBLIC_IPV4", "${COREOS_PUBLIC_IPV4}"),
        ("http://${COREOS_PRIVATE_IPV4}:2379/?a=50%&b=$x", "http://${COREOS_PRIVATE_IPV4}:2379/?a=50%%&b=$$x"),
        ("${COREOS_EC2_HOSTNAME}-%i-%d", "${COREOS_EC2_HOSTNAME}-%i-%%d"),
    ],
)
def test_a_variable_of_the_machine_could_be_either(text: str, expand: str) -> None:
    """No shell would read it."""
    with pytest.raises(ValidationError) as mistake:
        letters(text)
    assert repr(Expand(expand)) in str(mistake.value)
    assert repr(Literal(text)) in str(mistake.value)
    assert letters(Expand(expand)) == expand
    assert isinstance(letters(Expand(expand)), Expand)
    assert type(letters(Literal(text))) is str


@pytest.mark.parametrize(
    "text", ["%Y-%m-%d", "100%", "%d", "%I:%M %p", "%{host}", "%2F", "$HOME", "${HOME}", "$1", "%%i", ""]
)
def test_other_texts_are_letters_without_a_question(text: str) -> None:
    """Formats of dates above all."""
    assert letters(text) == text


@pytest.mark.parametrize("text", ["%i", "%n-%p-%H-%m-%b-%I-%N-%P", "%%", "$$", "a%%b$$c", "${A}${_b1}", "%t/x", "\\%i"])
def test_an_expand_has_what_systemd_replaces(text: str) -> None:
    """Its specifiers and variables, and how to write the characters themselves."""
    assert letters(Expand(text)) == text


@pytest.mark.parametrize(
    "text", ["%q", "%c", "50%", "%é", "%{x}", "$", "$X", "a$X", "$(x)", "${X", "${}", "${X:-y}", "${1}", "%%%"]
)
def test_an_expand_that_systemd_would_not_replace_is_refused(text: str) -> None:
    """Systemd leaves it, or replaces another part."""
    with pytest.raises(ValidationError, match=r"write (%%|\$\{NAME\})"):
        letters(Expand(text))


def test_a_description_has_no_variables(tmp_path: Path) -> None:
    """Systemd replaces specifiers in it, and nothing else."""
    assert service(tmp_path, "description=Expand('Shop %i, 50%% off')").description == "Shop %i, 50%% off"
    (problem,) = mistakes(tmp_path, "Service('web', description=Expand('at ${COREOS_PRIVATE_IPV4}'))")
    assert "systemd replaces only specifiers here" in problem
    (problem,) = mistakes(tmp_path, "Service('web', description=Literal('<{%'))")
    assert "which Pulumi reads as a colour" in problem


@pytest.mark.parametrize("mark", ["Expand", "Literal"])
@pytest.mark.parametrize("arguments", ["start={0}", "versions=[{0}]", "image={0}", "machine_id={0}"])
def test_a_text_that_is_no_text_of_the_container_is_plain(tmp_path: Path, mark: str, arguments: str) -> None:
    """Systemd's own lines are systemd's to read, and all others letters."""
    text = arguments.format(f"{mark}('/bin/x')")
    problems = mistakes(tmp_path, f"Service('web', {text})")
    assert any(f"must be a plain string: {mark}(...) is only for" in problem for problem in problems)


@pytest.mark.parametrize("mark", [Expand, Literal])
def test_a_marked_text_is_no_part_of_another(mark: type[Expand] | type[Literal]) -> None:
    """There it would be letters without a word."""
    for join in (lambda x: "a" + x, lambda x: x + "a", lambda x: f"a{x}", lambda x: "a%s" % x, "a{}".format):  # noqa: UP031
        with pytest.raises(TypeError, match=rf"write the whole string as one {mark.__name__}\(\.\.\.\)"):
            join(mark("%i"))
    assert repr(mark("%i")) == f"{mark.__name__}('%i')"


@pytest.mark.parametrize("entry", ["--memory=1g --cpus=2", "--label=a=b --init"])
def test_two_options_in_one_entry_are_refused(tmp_path: Path, entry: str) -> None:
    """Once such an entry was split. An option of another program in a value is none."""
    (problem,) = mistakes(tmp_path, f'Service("web", docker_args=[{entry!r}])')
    assert f"contains two options; write {entry.split()!r} as entries" in problem
    for word in ("--health-cmd=curl --fail x", "--health-cmd=a b --user c"):
        assert service(tmp_path, f"docker_args=[{word!r}]").docker_args == (word,)


@pytest.mark.parametrize(
    "volume",
    [
        "/data/%i:/data",
        "shop-%i:/data:ro",
        "${DATA}:/data",
        "${DATA}/x:/data",
        "/a:/b/${COREOS_PRIVATE_IPV4}",
        "%p-%i:/x",
    ],
)
def test_a_volume_may_be_expanded(tmp_path: Path, volume: str) -> None:
    """Its form is checked without what is replaced."""
    assert service(tmp_path, f"volumes=[Expand({volume!r})]").volumes == (volume,)
    assert any("is not a volume" in problem for problem in mistakes(tmp_path, "Service('a', volumes=[Expand('%i:x')])"))
    assert sample(Expand("a-%i${B}%%$$")) == "a-xx%$"


@pytest.mark.parametrize(
    ("written", "env"),
    [
        ({"discovery.type": "single-node"}, [("discovery.type", "single-node")]),
        ({"a-b": 1, "_": True, "é": "x", "1A": ""}, [("1A", ""), ("_", "true"), ("a-b", "1"), ("é", "x")]),
        ({"RATE": 0.5, "BIG": 10**20, "NEG": -1.25}, [("BIG", str(10**20)), ("NEG", "-1.25"), ("RATE", "0.5")]),
        ({"%i": "x"}, [("%i", "x")]),
    ],
)
def test_variables_are_docker_s(tmp_path: Path, written: object, env: list[tuple[str, str]]) -> None:
    """Every name that docker takes; texts, numbers and bools."""
    assert list(service(tmp_path, f"env={written!r}").env) == env


def test_an_enumeration_s_text_is_its_value(tmp_path: Path) -> None:
    """Not its name."""
    found = service(tmp_path, "env={'A': __import__('enum').Enum('E', {'RED': 'r'}, type=str).RED}")
    assert found.env == (("A", "r"),)


def test_a_long_text_may_have_blanks(tmp_path: Path) -> None:
    """A unit's line is continued at them; a long part without any is refused with another way."""
    assert service(tmp_path, "command=['sh', '-c', 'echo ' * 2000]").command[2] == "echo " * 2000
    for keyword in ("command=['x'*2000]", "env={'A': 'x'*2000}", "docker_args=['x'*2000]", "command=['%d'*995]"):
        (problem,) = mistakes(tmp_path, f"Service('web', {keyword})")
        assert "have no blank at which the line could be continued" in problem
        assert "--env-file" in problem


def test_http_may_have_a_host_and_headers(tmp_path: Path) -> None:
    """And brackets in its path."""
    found = service(
        tmp_path, "ready=Http('/x?[a]={b}', host='shop.example.org:8080', headers={'Accept': 'a/b'}, https=True)"
    )
    assert found.ready == Http("/x?[a]={b}", None, "shop.example.org:8080", (("Accept", "a/b"),), True)
    expanded = service(
        tmp_path, "ready=Http(Expand('/%i'), host=Expand('%H.local'), headers={'A': Expand('%m')})"
    ).ready
    assert "Expand('/%i')" in repr(expanded)
    assert repr(expanded).count("Expand(") == 3


@pytest.mark.parametrize("mark", ["Expand", "Literal"])
@pytest.mark.parametrize(
    ("fleetfile", "what"),
    [
        ("app=M('shop'), services=[Service('web', image='a')]", "app: M('shop') is not an app name"),
        ("app='shop', image=M('a'), services=[Service('web')]", "image: M('a') is not an image name to push to"),
        ("app='shop', services=[Service(M('web'), image='a')]", "the name must have lower case letters"),
        ("app='shop', services=[Service('web', image='a', unit={M('A'): 'b'})]", "unit: must be a plain string"),
        (
            "app='shop', services=[Service('web', image='a', ports=[80], ready=Http(headers={M('A'): 'b'}))]",
            "ready: must be a plain string",
        ),
    ],
)
def test_no_name_is_read_by_the_machine(fleetfile: str, what: str, mark: str, tmp_path: Path) -> None:
    """Not that of the app, of a service, of an option or of a header."""
    made = f"from fleetcaptain import *\nfleet = Fleetfile({fleetfile.replace('M(', f'{mark}(')})\n"
    (tmp_path / "Fleetfile.py").write_text(made)
    with pytest.raises(FleetfileError) as raised:
        load(tmp_path)
    assert what.replace("M(", f"{mark}(") in str(raised.value)


@pytest.mark.parametrize(
    "words",
    [["--gpus", '"device=0,1"'], ['--gpus="device=0,1"'], ["--mount", '"type=bind","src=/a,b",dst=/c'], ["--init"]],
)
def test_quotes_that_docker_reads_itself_stay(tmp_path: Path, words: list[str]) -> None:
    """In its CSV they keep a comma; before other words they are a mistake."""
    assert service(tmp_path, f"docker_args={words!r}").docker_args == tuple(words)
    (problem,) = mistakes(tmp_path, f"""Service("web", docker_args={[*words, "--label", '"a,b"']!r})""")
    assert "no shell reads '\"a,b\"'" in problem


_MEMBERS = f"""{HEAD}
from enum import Enum, IntEnum

class Text(str, Enum):
    APP, IMAGE, NAME, OTHER = "shop", "acme/shop", "cache", "db"
    PATH, DISK, PORT, LINE, SHARE = "/health", "ssd", "8080:80", "/bin/true", "25%"

class Number(int, Enum):
    FEW = 3

class Share(float, Enum):
    HALF = 0.5

class Level(IntEnum):
    HIGH = 9
"""


def test_members_of_an_enum_are_the_texts_and_numbers_that_they_are(tmp_path: Path) -> None:
    """In every keyword: Python's ``str()`` would give their own names."""
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "Fleetfile.py").write_text(
        f"""{_MEMBERS}
Fleetfile(app=Text.APP, image=Text.IMAGE, services=[
    Service(
        Text.NAME, description=Text.DISK, image=Text.IMAGE, command=[Text.PATH, Text.DISK], ports=[Text.PORT],
        env={{Text.NAME: Text.DISK, "n": Number.FEW, "s": Share.HALF, "l": Level.HIGH}}, instances=Number.FEW,
        docker_args=["--hostname", Text.DISK], machine_metadata={{Text.DISK: Text.NAME}}, before_start=Text.LINE,
        requires=[Text.OTHER], unit={{"OnFailure": Text.OTHER}}, service=[("Nice", [Number.FEW, Level.HIGH])],
        ready=Http(Text.PATH, headers={{"Accept": Text.DISK}}), rollout=Rolling(max_parallel=Text.SHARE),
        versions=[Text.DISK],
    ),
    Service(Text.OTHER, start_sec=Number.FEW),
])
"""
    )
    found = load(tmp_path)
    assert (found.app, found.image) == ("shop", "acme/shop")
    first, other = found.services
    for shown in (repr(first), *map(str, (first.name, *first.command, *dict(first.env).values(), first.instances))):
        assert not re.search("Text|Number|Share|Level", shown)
    assert first.name == "cache"
    assert first.env == (("cache", "ssd"), ("l", "9"), ("n", "3"), ("s", "0.5"))
    assert first.machine_metadata == ("ssd=cache",)
    assert (first.unit, first.service) == ((("OnFailure", "db"),), (("Nice", "3"), ("Nice", "9")))
    assert (other.name, str(other.start_sec)) == ("db", "3")


def test_a_check_has_what_the_machine_agent_replaces(tmp_path: Path) -> None:
    """In every text of it; a literal one may have anything."""
    every = "%n%N%p%i%m%H%%$$${A}"
    check = f"Http(Expand('/{every}'), host=Expand('%i.x'), headers={{'A': Expand({every!r})}})"
    spec = service(tmp_path, f"ports=[80], ready={check}")
    assert spec.ready == Http(f"/{every}", host="%i.x", headers=(("A", every),))
    spec = service(tmp_path, "ready=Command(Literal('date +%b %v'))")
    assert spec.ready == Command("date +%b %v")
