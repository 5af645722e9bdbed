"""The small parts of the toolchain: its environment, what a build came from, running programs, tidying up."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from fleetcaptain.fleet.project_files import STAGED
from tools.__main__ import _say
from tools.docker_engine import Daemon
from tools.fingerprint import fingerprint
from tools.pins import MACHINE_TOOLS
from tools.plugins import pulumi_home
from tools.project_layout import Layout, put
from tools.shell import answer, run
from tools.shell_environment import environment, exports
from tools.tidy import tidy
from tools.tool_failure import ToolFailed

ETCD = next(tool for tool in MACHINE_TOOLS if tool.name == "etcd")


def test_our_tools_come_first_on_path_and_only_once(tmp_path: Path) -> None:
    """However often the environment is set."""
    layout = Layout(tmp_path)
    once = environment({"PATH": "/usr/bin"}, layout, own_buildx=False, pulumi_home=tmp_path)
    twice = environment(once, layout, own_buildx=False, pulumi_home=tmp_path)
    assert once["PATH"] == twice["PATH"] == f"{layout.venv}/bin:{layout.bin}:/usr/bin"


@pytest.mark.parametrize(
    ("name", "value"), [("PULUMI_BACKEND_URL", "s3://states"), ("PULUMI_CONFIG_PASSPHRASE", "theirs")]
)
def test_what_a_person_has_set_stays(tmp_path: Path, name: str, value: str) -> None:
    """Their state and their passphrase are not ours to choose."""
    assert name in environment({}, Layout(tmp_path), own_buildx=False, pulumi_home=tmp_path)
    assert name not in environment({name: value}, Layout(tmp_path), own_buildx=False, pulumi_home=tmp_path)


def test_a_shell_reads_the_environment_back_as_it_is() -> None:
    """Blanks and quotes too."""
    lines = exports({"A": "b c", "D": "it's"})
    done, said = answer(["sh", "-c", f'{lines}\nprintf "%s|%s" "$A" "$D"'])
    assert (done, said) == (True, "b c|it's")


@pytest.mark.parametrize(
    "changed",
    [
        (replace(ETCD, version="0"), {"go.sum": b"x"}),
        (ETCD, {"go.sum": b"y"}),
        (ETCD, {"go.sum": b"x", "more.go": b""}),
        (replace(ETCD, tags=("more",)), {"go.sum": b"x"}),
    ],
)
def test_a_changed_pin_flag_or_source_is_another_build(changed: tuple[Any, dict[str, bytes]]) -> None:
    """So it is built again."""
    assert fingerprint(*changed) != fingerprint(ETCD, {"go.sum": b"x"}) == fingerprint(ETCD, {"go.sum": b"x"})


def test_a_program_that_fails_says_where_its_words_are_and_what_to_do(tmp_path: Path) -> None:
    """Its output is in the log."""
    log = tmp_path / "log"
    with pytest.raises(ToolFailed) as raised:
        run([sys.executable, "-c", "print('why'); raise SystemExit(3)"], log, by_hand="do it yourself")
    assert "why\n" in log.read_text()
    for told in ("status 3", str(log), "do it yourself"):
        assert told in str(raised.value)


def test_what_a_failed_program_said_is_cut_and_printed_harmlessly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last lines; a line of a build may be endless, and drive the terminal."""
    log = tmp_path / "log"
    log.write_text("\x1b]0;title\x07" + "x" * 100_000)
    _say(str(ToolFailed("it broke", log=log)))
    assert capsys.readouterr().err == (
        f"it broke\nlast lines of {log}:\n  | " + r"\x1b]0;title\x07" + "x" * 490 + "... (99,510 more characters)\n"
    )


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    """With all that it started."""
    pid = tmp_path / "pid"
    with pytest.raises(ToolFailed, match="took longer than 1 s"):
        run(["sh", "-c", f"sleep 600 & echo $! > {pid}; wait"], tmp_path / "log", timeout=1)
    with suppress(ProcessLookupError):
        ended = os.pidfd_open(int(pid.read_text()))
        assert select.select([ended], [], [], 30)[0], "what the program started goes on"


def test_a_program_that_is_not_there_is_a_failure_too(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(ToolFailed, match="could not be started"):
        run(["/no/such/program"], tmp_path / "log")
    assert answer(["/no/such/program"])[0] is False


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A full disk leaves the old one, and nothing else."""
    target = tmp_path / "file"
    put(target, b"old")
    with pytest.raises(TypeError):
        put(target, cast(bytes, "no bytes"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"old"


@dataclass(frozen=True)
class FakeDaemon(Daemon):
    """An engine in which the containers *names* run; it was started by the project if it has a process id, *number*."""

    names: tuple[str, ...] = ()
    number: int | None = 1
    stops: list[str] = field(default_factory=list)

    def pid(self) -> int | None:
        """Its process id."""
        return self.number

    def containers(self) -> tuple[str, ...]:
        """The containers that run."""
        return self.names

    def stop(self) -> bool:
        """Note it."""
        self.stops.append("stopped")
        return self.number is not None


def tidied(engine: FakeDaemon, backend: str = "") -> list[str]:
    """What `tidy` reports."""
    lines: list[str] = []
    tidy(engine.layout, engine, lines.append, backend=backend)
    return lines


def test_the_last_stack_takes_empty_folders_and_the_engine_with_it(tmp_path: Path) -> None:
    """And copies of what builds send. Of Pulumi's state only what Pulumi writes before there is a stack."""
    engine = FakeDaemon(Layout(tmp_path))
    for folder in ("locks/organization/fleetcaptain/dev", "stacks/fleetcaptain"):
        (engine.layout.state / ".pulumi" / folder).mkdir(parents=True)
    for name in ("meta.yaml", "meta.yaml.attrs"):
        put(engine.layout.state / ".pulumi" / name, b"version: 1")
    put(engine.layout.stacks / "dev" / STAGED / "web" / "Dockerfile", b"FROM scratch")
    assert tidied(engine) == ["stopped the Docker engine that was started here"]
    assert engine.stops == ["stopped"]
    assert not engine.layout.stacks.exists()


@pytest.mark.parametrize("file", ["shop/trial.json", "shop/trial.json.gz", "shop/trial.json.zst", "trial.json"])
def test_another_stack_keeps_all(tmp_path: Path, file: str) -> None:
    """Whatever the format of its state, which Pulumi's settings choose. It is named."""
    engine = FakeDaemon(Layout(tmp_path))
    put(engine.layout.state / ".pulumi/stacks" / file, b"{}")
    put(engine.layout.stacks / "trial" / "id_ed25519", b"key")
    before = contents(tmp_path)
    assert tidied(engine) == ["other stacks still exist: trial"]
    assert (engine.stops, contents(tmp_path)) == ([], before)


@pytest.mark.parametrize("backend", ["", "file://{state}", "file://{state}/", "s3://states", "file:///srv/states"])
@pytest.mark.parametrize(
    "file",
    [
        "dev/id_ed25519",
        "dev/ca/ca.key",
        "prod/known_hosts",
        "pulumi/.pulumi/stacks/fleetcaptain/dev.json.bak",
        "pulumi/.pulumi/stacks/fleetcaptain/dev.in-a-format-of-the-future",
        "pulumi/.pulumi/backups/fleetcaptain/dev/dev.1.json",
        "pulumi/.pulumi/history/fleetcaptain/dev/dev-1.checkpoint.json.gz",
        "pulumi/.pulumi/locks/organization/fleetcaptain/dev/1.json",
    ],
)
def test_no_file_of_a_stack_is_removed(tmp_path: Path, file: str, backend: str) -> None:
    """Keys, certificates and state stay: a stack whose state lies elsewhere, or in another format, may still live."""
    engine = FakeDaemon(Layout(tmp_path))
    put(engine.layout.stacks / file, b"precious")
    put(engine.layout.state / ".pulumi" / "meta.yaml", b"version: 1")
    tidied(engine, backend.format(state=engine.layout.state))
    assert contents(tmp_path)[f".fleetcaptain/{file}"] == b"precious"


def test_nothing_is_removed_for_stacks_elsewhere(tmp_path: Path) -> None:
    """Not even an empty folder, which one of them may be about to use."""
    engine = FakeDaemon(Layout(tmp_path))
    (engine.layout.stacks / "dev").mkdir(parents=True)
    tidied(engine, "s3://states")
    assert (engine.layout.stacks / "dev").is_dir()


def test_what_is_kept_is_named(tmp_path: Path) -> None:
    """A person may know that its stack is gone."""
    engine = FakeDaemon(Layout(tmp_path))
    put(engine.layout.stacks / "dev" / "id_ed25519", b"key")
    assert tidied(engine)[0] == f"Kept the files of dev in {engine.layout.stacks}."


def contents(folder: Path) -> dict[str, bytes]:
    """Each file below *folder*."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_engine_that_others_use_goes_on(tmp_path: Path) -> None:
    """Their containers are named."""
    engine = FakeDaemon(Layout(tmp_path), names=("theirs",))
    assert "theirs" in tidied(engine)[0]
    assert engine.stops == []


def test_an_engine_of_another_owner_is_left_alone(tmp_path: Path) -> None:
    """Whatever runs in it."""
    assert tidied(FakeDaemon(Layout(tmp_path), names=("theirs",), number=None)) == []


def test_no_other_process_is_taken_for_our_engine(tmp_path: Path) -> None:
    """Its process id may have been given to another one since."""
    daemon = Daemon(Layout(tmp_path))
    put(daemon.pid_file, str(os.getpid()).encode())
    assert daemon.pid() is None


def test_pulumis_folder_stays_the_one_with_the_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's own is used where there is one first. One that appears later, as when they use Pulumi elsewhere, lacks
    what was built here."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    layout = Layout(tmp_path / "project")
    assert pulumi_home({}, layout) == layout.pulumi_home
    (tmp_path / ".pulumi").mkdir()
    assert pulumi_home({}, layout) == tmp_path / ".pulumi"
    layout.pulumi_home.mkdir(parents=True)
    assert pulumi_home({}, layout) == layout.pulumi_home
    assert pulumi_home({"PULUMI_HOME": "/elsewhere"}, layout) == Path("/elsewhere")
