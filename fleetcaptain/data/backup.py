"""Backups of the data of a service, as a stream: the files of a volume, or what a command of the app prints."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from fleetcaptain.data.paused_service import paused
from fleetcaptain.data.service_data import ServiceData
from fleetcaptain.data.volume_scripts import (
    VolumeUse,
    in_container_argv,
    listing_argv,
    parse_listing,
    read_argv,
    restoring_argv,
    write_argv,
)
from fleetcaptain.data.volume_transfer import Transfer
from fleetcaptain.errors import ClusterUnreachable, DeadlineExceeded, FleetCaptainError, NotAvailable, UnitRefused
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.oneoff.source import container_of
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.model import TICK_SEC
from fleetcaptain.waiting import wait_until

__all__ = ["Backup", "check_tar", "use_of", "whole_file"]

_LIST_SEC = 120.0
_LOOK_SEC, _END_SEC = 10.0, 120.0
_END_BYTES = 1024


def use_of(cluster: Cluster, data: ServiceData) -> VolumeUse | None:
    """The use of the volume of *data*; None if the machine has no such volume. Raises ClusterUnreachable."""
    output = cluster.run(data.machine.ip, listing_argv([data.volume]), _LIST_SEC)
    if output is None:
        raise ClusterUnreachable(
            f"Could not look for the volume {data.volume} on {data.machine.ip}: the machine does not answer. Nothing "
            "was changed. Check it with `captain doctor`, then run the same command again."
        )
    return parse_listing(output).get(data.volume)


@dataclass(frozen=True)
class Backup:
    """Copies the *data* of *service*. *stops*: its instances do not run meanwhile."""

    cluster: Cluster
    endpoint: Endpoint
    service: str
    data: ServiceData
    report: Callable[[str], None]
    stops: bool = False

    def take(self, target: BinaryIO, command: Sequence[str], before: str = "", after: str = "") -> None:
        """Write a backup to *target*: the output of *command* in the container of an instance, or without one a tar of
        the volume. *before* and *after* are commands for a shell in the container; *after* runs whatever happens.

        Raises UnitRefused while a container uses the volume, unless the service stops or *before* makes the files fit
        to be read."""
        what = f"backup of {self.data.volume} of {self.service}"
        if command:
            self._transfer(what).receive(in_container_argv(self._container(), command), target)
            return
        use = use_of(self.cluster, self.data)
        if use is None:
            raise NotAvailable(f"{self.data.machine.ip} has no volume {self.data.volume}. There is nothing to back up.")
        if (use.containers or self.data.is_launched) and not self.stops and not before:
            raise UnitRefused(
                f"Cannot back up {self.data.volume} while {self.service} writes to it. Nothing was changed:",
                [
                    f"have the program write the backup: `captain backup {self.service} -- COMMAND`, such as pg_dump",
                    "or stop the service meanwhile: --stop",
                    "or have the program bring its files to rest: --before COMMAND",
                ],
            )
        with self._at_rest("backup") as tick:
            try:
                self._in_container(before)
                self._transfer(what, tick).receive(read_argv(self.data.volume), target)
            finally:
                self._in_container(after)

    def restore(self, source: IO[bytes], size: int, command: Sequence[str]) -> None:
        """Pass *source* to *command* in the container of an instance, or without one put the files of the tar *source*
        (of *size* bytes) in the place of those of the volume. Raises UnitRefused while a container uses the volume,
        unless the service stops."""
        what = f"restore of {self.data.volume} of {self.service}"
        if command:
            self._transfer(what).send(in_container_argv(self._container(), command), source)
            return
        use = use_of(self.cluster, self.data)
        if ((use is not None and use.containers) or self.data.is_launched) and not self.stops:
            raise UnitRefused(
                f"Cannot restore {self.data.volume} while {self.service} writes to it. Nothing was changed:",
                ["stop the service meanwhile: --stop"],
            )
        with self._at_rest("restore") as tick:
            try:
                self._transfer(what, tick).send(write_argv(self.data.volume, size), source)
            except BaseException:
                self._await_end(tick)
                raise

    def _await_end(self, tick: Callable[[], None]) -> None:
        """A restore that lost its connection may still exchange the files, and the service starts afterwards. If the
        machine does not answer, the restore itself finds the service running."""

        def pending() -> str:
            tick()
            output = self.cluster.run(self.data.machine.ip, restoring_argv(self.data.volume), _LOOK_SEC)
            return "" if output == "" else f"the restore still runs on {self.data.machine.ip}"

        with suppress(DeadlineExceeded):
            wait_until(
                pending,
                _END_SEC,
                self.report,
                DeadlineExceeded,
                pause_sec=TICK_SEC,
                clock=self.cluster.clock,
                sleep=self.cluster.sleep,
            )

    def _transfer(self, what: str, tick: Callable[[], None] = lambda: None) -> Transfer:
        return Transfer(self.endpoint, self.endpoint.to(self.data.machine.ip), what, self.report, tick)

    @contextmanager
    def _at_rest(self, strategy: str) -> Iterator[Callable[[], None]]:
        """In the block the service does not run, if it is to stop; what keeps its lock meanwhile."""
        if not self.stops:
            yield lambda: None
            return
        with paused(self.cluster, self.service, strategy, self.report) as fenced:
            yield lambda: fenced.sleep(0.01)

    def _in_container(self, command: str) -> None:
        if command:
            with Path(os.devnull).open("wb") as nothing:
                self._transfer(command).receive(in_container_argv(self._container(), ["sh", "-c", command]), nothing)

    def _container(self) -> str:
        if not self.data.units:
            raise NotAvailable(f"No instance of {self.service} runs on {self.data.machine.ip}. Start it first.")
        return container_of(self.cluster.app, self.data.units[0])


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which is at *path* only once the block has ended well. Raises FleetCaptainError."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as target:
            part.chmod(0o600)
            yield target
            os.fsync(target.fileno())
        part.replace(path)
    except OSError as error:
        raise FleetCaptainError(
            f"Could not write {path}: {error.strerror or error}. It has no new backup. Make room or name another file, "
            "then run the same command again."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def check_tar(source: IO[bytes], name: str) -> int:
    """The size of the tar *source*, which is read to its end and back at its begin. Raises FleetCaptainError if it is
    not whole: a tar ends with two empty blocks."""
    why = "it ends too early"
    try:
        with tarfile.open(fileobj=source, mode="r:") as tar:
            for _member in tar:
                pass
        source.seek(-_END_BYTES, os.SEEK_END)
        is_whole = source.read() == bytes(_END_BYTES)
    except (tarfile.TarError, OSError) as error:
        is_whole, why = False, str(error)
    if not is_whole:
        raise FleetCaptainError(
            f"Cannot restore {name}: the backup is incomplete or of another kind: {why}. Nothing was changed. Use "
            "another backup. What a program wrote, its command restores: `captain restore SERVICE FILE -- COMMAND`."
        )
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    return size
