"""A wall clock that is wrong on one machine. Containers share the kernel's clock, so it is changed where a process
reads it: in the vDSO, the functions of the kernel that are mapped into each process. Programs in Go use no others."""

from __future__ import annotations

import ctypes
import platform
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.machine_faults import run_on

__all__ = ["wrong_clock", "wrong_date"]

# etcd computes by its machine's clock when a key expires, and its leader removes the key by the leader's.
_UNITS = ("etcd.service", "fleet.service")
# clock_gettime(rdi, rsi): mov eax, 228; syscall; test edi, edi; jne +7; add qword [rsi], seconds; ret
# Clock 0 is the wall clock; all others stay right.
_CODE = "b8e4000000 0f05 85ff 7507 488106 {seconds} c3"
_WRITE = """\
for pid in $PIDS; do
  [ -d /proc/$pid ] || continue
  while read -r range _ _ _ _ name; do [ "$name" != "[vdso]" ] || base=${range%-*}; done </proc/$pid/maps
  printf "$CODE" | dd of=/proc/$pid/mem oflag=seek_bytes seek=$((0x$base + OFFSET)) conv=notrunc status=none || exit
done
"""
_TOLERATED_SEC = 30


@contextmanager
def wrong_clock(machine: Any, seconds: int) -> Iterator[None]:
    """Until the block ends, the clock of etcd and of fleetd on *machine* is so many *seconds* ahead, or behind if
    negative. A process that starts meanwhile has the right one."""
    if platform.machine() != "x86_64":
        pytest.skip("the changed function is machine code of x86-64")
    code = bytes.fromhex(_CODE.format(seconds=struct.pack("<i", seconds).hex()))
    offset, original = _clock_function(len(code))
    pids = [run_on(machine, "systemctl", "show", "-P", "MainPID", unit).strip() for unit in _UNITS]
    _write(machine, pids, offset, code)
    try:
        assert abs(_clock_error(machine) - seconds) < _TOLERATED_SEC
        yield
    finally:
        machine.reload()
        if machine.status == "running":
            _write(machine, pids, offset, original)


@contextmanager
def wrong_date(machine: Any, seconds: int) -> Iterator[None]:
    """Until the block ends, the command ``date`` of *machine* is so many *seconds* ahead: the clock by which scripts,
    as the machine agent, tell the time."""
    path, right = "/bin/date", "/bin/date.right"
    script = f"#!/bin/sh\nexec {right} --date='+{seconds} seconds' \"$@\"\n"
    # It is there at each moment, for a script that tells the time meanwhile.
    run_on(machine, "ln", "-f", path, right)
    run_on(machine, "sh", "-c", 'printf "%s" "$1" >"$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0"', path, script)
    try:
        yield
    finally:
        run_on(machine, "mv", right, path)


def _clock_function(size: int) -> tuple[int, bytes]:
    """Where in the vDSO clock_gettime begins, and its first *size* bytes: the same in each process of one kernel."""
    address = ctypes.cast(ctypes.CDLL("linux-vdso.so.1").__vdso_clock_gettime, ctypes.c_void_p).value
    assert address is not None
    maps = Path("/proc/self/maps").read_text().splitlines()
    base = next(int(line.partition("-")[0], 16) for line in maps if line.endswith("[vdso]"))
    return address - base, ctypes.string_at(address, size)


def _write(machine: Any, pids: list[str], offset: int, code: bytes) -> None:
    """Write *code* into the vDSO of the processes *pids* that there are."""
    octal = "".join(f"\\{byte:03o}" for byte in code)
    run_on(machine, "sh", "-c", f"PIDS='{' '.join(pids)}' CODE='{octal}' OFFSET={offset}\n{_WRITE}")


def _clock_error(machine: Any) -> float:
    """How many seconds the clock of etcd on *machine* is ahead, by the date of its answers."""
    answer = run_on(machine, "curl", "-sI", "http://127.0.0.1:2379/v2/keys/")
    dates = [line.partition(":")[2].strip() for line in answer.splitlines() if line.lower().startswith("date:")]
    return parsedate_to_datetime(dates[0]).timestamp() - time.time()
