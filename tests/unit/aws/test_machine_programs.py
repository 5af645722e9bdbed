"""Which programs a cluster on AWS uploads: exactly those that the pins name, whatever this computer has."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from components.aws.machine_programs import GO, PROGRAMS, program_problems
from tests.fakes.fake_machines import write_programs
from tests.unit.aws.declared import fake_programs
from tools.fingerprint import build_environment
from tools.pins import FLEETCTL, GO_TOOLCHAIN, MACHINE_TOOLS, PULUMI


def test_the_sums_are_those_of_the_pinned_versions() -> None:
    """A pin that changes needs its new sum, which the refusal prints; the builds have the same environment anywhere."""
    tools = (*MACHINE_TOOLS, FLEETCTL)
    assert {tool.name: tool.version for tool in tools} == {name: one.version for name, one in PROGRAMS.items()}
    assert GO == GO_TOOLCHAIN
    for tool in tools:
        environment = build_environment(tool)
        assert (environment["GOTOOLCHAIN"], environment["GOOS"], environment["GOARCH"]) == (GO, "linux", "amd64")
        assert environment["GOFLAGS"]
    assert "GOTOOLCHAIN" not in build_environment(PULUMI)


def test_the_pinned_programs_are_taken_from_the_tools_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the same name on PATH may be anything."""
    tools = write_programs(tmp_path / "tools")
    programs = fake_programs(tools)
    assert program_problems(tools, "prod", programs) == []
    monkeypatch.setenv("PATH", str(tools))
    problems = program_problems(tmp_path / "none", "prod", programs)
    assert [line.split(":")[0] for line in problems] == [*programs]
    assert all("`make tools STACK=prod`" in line for line in problems)


def test_a_program_for_another_computer_is_refused(tmp_path: Path) -> None:
    """arm64, macOS, a script; and one for x86-64 that another Go built: its sum is shown, to be compared or pinned."""
    tools = write_programs(tmp_path)
    programs = fake_programs(tools)
    elf = (tools / "etcd").read_bytes()
    (tools / "etcd").write_bytes(elf.replace(b"\x3e\x00", b"\xb7\x00"))
    (tools / "fleetd").write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))
    (tools / "fleetctl").write_bytes(elf + b"another Go")
    problems = {line.split(":")[0]: line for line in program_problems(tools, "prod", programs)}
    assert problems.keys() == {"etcd", "fleetd", "fleetctl"}
    assert "is no program for Linux on x86-64" in problems["etcd"]
    assert "is no program for Linux on x86-64" in problems["fleetd"]
    assert hashlib.sha512(elf + b"another Go").hexdigest() in problems["fleetctl"]
    assert programs["fleetctl"].sha512 in problems["fleetctl"]
    assert GO in problems["fleetctl"]
