"""The programs that machines on AWS run: their versions, and the sums that the uploaded files must have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

__all__ = ["GO", "PROGRAMS", "Program", "program_problems", "sums_of"]

GO = "go1.26.8"
"""The Go that builds them; another one writes other bytes, and each new sum would replace workers."""

# The header of an ELF file for x86-64: 64 bits, little-endian, and the machine (elf(5)).
_MAGIC, _MACHINE = b"\x7fELF\x02\x01", b"\x3e\x00"
_MACHINE_AT = 18


@dataclass(frozen=True)
class Program:
    """Its *version*, and its *sha512* in hex when `GO` builds it as `tools/pins.py` says."""

    version: str
    sha512: str


PROGRAMS: Mapping[str, Program] = MappingProxyType(
    {
        "etcd": Program(
            "3.5.33",
            "6ab7de3ad0a06fd077db408154c752915181ae35b05044c3d910c5a2563b399c"
            "db101cd493b7bf5c34e81a181b148c5e90caff7c7f9ed0a7c50f8d04d07a1c5b",
        ),
        "fleetctl": Program(
            "1.0.0",
            "21aa1ccefd52312230138df111b5c9b6ee744f69661d2ef86fdc218e2bb94a4d"
            "4f07611f4379eaf08769825649956b031c4f337ea65e025d16bffa8199b0c385",
        ),
        "fleetd": Program(
            "1.0.0",
            "20b2617984aede327582c5d650d3bb23cf1257f00cf25f48ed19caacc85873d9"
            "451af6e29d959166cfc3ee17dff3d4ac5d0e3f40b7dfa0c269f20ce03da7e196",
        ),
    }
)
"""Name -> program."""


def program_problems(tools: Path, stack: str, programs: Mapping[str, Program] = PROGRAMS) -> list[str]:
    """Those of *programs* that the folder *tools* does not have, or has with another sum; *stack* is for the advice."""
    problems = []
    for name, program in programs.items():
        file = tools / name
        content = file.read_bytes() if file.is_file() else None
        if content is None:
            problems.append(f"{name}: there is no {file}. Run `make tools STACK={stack}`, which builds it")
        elif not (content.startswith(_MAGIC) and content[_MACHINE_AT:].startswith(_MACHINE)):
            problems.append(
                f"{name}: {file} is no program for Linux on x86-64. Remove it, then run `make tools STACK={stack}`"
            )
        elif (found := hashlib.sha512(content).hexdigest()) != program.sha512:
            problems.append(
                f"{name}: {file} has the SHA-512 {found}, but {program.version}, built with {GO}, has "
                f"{program.sha512}. Remove it, and run `make tools STACK={stack}` where Go can download {GO}, or "
                "install that Go"
            )
    return problems


def sums_of(programs: Mapping[str, Program] = PROGRAMS) -> dict[str, str]:
    """Name -> SHA-512 of each of *programs*, in hex."""
    return {name: program.sha512 for name, program in programs.items()}
