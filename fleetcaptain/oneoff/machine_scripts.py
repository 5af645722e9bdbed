"""The shell scripts of a one-off on its machine, in POSIX ``sh``, as root. Pure.

Two sessions share one connection. The *guard* receives the script of the *client*, and then a byte every few seconds:
when none comes, because the operator's process or computer or the network is gone, it stops the container. The client
starts docker, and its streams are the operator's. No value of the unit is in an argument on the operator's computer.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fleetcaptain.fleet.root_command import as_root
from fleetcaptain.oneoff.one_off import Environment, SecretNeeds
from fleetcaptain.units.exec_words import Word, shell_word

__all__ = [
    "BEAT",
    "BEAT_SEC",
    "DONE",
    "KILL",
    "READY",
    "STOP",
    "attach_script",
    "client_argv",
    "client_script",
    "detach_argv",
    "guard_argv",
]

BEAT, STOP, KILL, DONE = b".", b"s", b"k", b"q"
"""What the guard is sent: go on; stop the container; kill it; the client has ended by itself."""
BEAT_SEC = 5.0
"""Seconds between two beats."""
_READY_LINE = "fleetcaptain: ready"
READY = f"{_READY_LINE}\n".encode()
"""The output of the guard once it has the client's script."""

_SILENT_SEC = 30
_FOLDER = "/run/fleetcaptain-one-offs"
_CONSOLE = "FLEETCAPTAIN_CONSOLE"

# Receives $2 bytes as the script of the one-off $1.
_RECEIVE = """set -u
umask 077
folder=$1/$2 size=$3
mkdir -p "$1" && mkdir "$folder" || exit 1
head -c "$size" >"$folder/client"
[ "$(wc -c <"$folder/client")" -eq "$size" ] || { rm -rf "$folder"; exit 1; }
"""
# The client's process is docker's, unless its number is another process's by now.
_GUARD = """name=$4 grace=$5 kind=$6
trap '' HUP INT PIPE
is_docker() {
  pid=$(cat "$folder/pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = docker ]
}
signal_client() {
  ! is_docker || kill "-$1" "$pid" 2>/dev/null
}
# A console in a running instance: its processes carry its id.
signal_console() {
  for found in $(docker top "$name" -eo pid 2>/dev/null | tail -n +2); do
    ! tr '\\0' '\\n' <"/proc/$found/environ" 2>/dev/null | grep -qxF "$console" || kill "-$1" "$found" 2>/dev/null
  done
}
stop() {
  : >"$folder/stopped"
  if [ "$kind" = run ]; then
    docker stop -t "$grace" "$name" >/dev/null 2>&1 || signal_client TERM
  else
    signal_console HUP
    sleep 1
    signal_console KILL
  fi
}
console=$7=$2
echo "$8"
while :; do
  beat=$(timeout "$9" head -c 1)
  case $beat in
  .) ;;
  s) stop & ;;
  k) if [ "$kind" = run ]; then docker kill "$name" >/dev/null 2>&1 || signal_client KILL; else stop; fi ;;
  *) break ;;
  esac
done
if [ "$beat" != q ]; then
  stop
  tries=0
  while is_docker && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  signal_client KILL
fi
[ "$kind" != run ] || docker rm -fv "$name" >/dev/null 2>&1
rm -rf "$folder"
"""
# systemd removes the container when the client ends, whatever ended it.
_DETACH = """name=$4 unit=$5 limit=$6
systemd-run --quiet --collect --unit="$unit" --description="one-off $name" --property=RuntimeMaxSec="$limit" \\
  --property=TimeoutStopSec=30 --property=ExecStopPost="-/bin/sh -c 'docker rm -fv $name >/dev/null 2>&1'" \\
  --property=ExecStopPost="/bin/rm -rf $folder" --property=SuccessExitStatus="143 137" /bin/sh "$folder/client" ||
  { rm -rf "$folder"; exit 1; }
"""


def client_script(
    words: Sequence[Word], environment: Environment | None, id_: str, secrets: SecretNeeds | None = None
) -> str:
    """The script that becomes ``docker run``, with its words (see `container_words`) and what they need of the unit's
    *environment* and of its *secrets*, which the machine agent opens into a folder that goes with the one-off."""
    script = _client(" ".join(map(shell_word, words)), environment, id_)
    if secrets is None:
        return script
    folder = f"{_FOLDER}/{id_}"
    agent = f"/bin/sh {secrets.agent} open {folder}/unit {folder}/secrets || exit 125"
    text = "\n".join(("[X-FleetCaptain]", *secrets.lines))
    opening = f"cat >{folder}/unit <<'END'\n{text}\nEND\n{agent}\n"
    return opening + script.replace(secrets.folder, f"{folder}/secrets")


def attach_script(container: str, command: Sequence[str], id_: str, *, terminal: bool) -> str:
    """The script that becomes ``docker exec`` of *command* in the running *container*."""
    options = ["--interactive", *(["--tty"] if terminal else []), f"--env={_CONSOLE}={id_}"]
    return _client(shlex.join(["docker", "exec", *options, container, *command]), None, id_)


def guard_argv(id_: str, script: str, container: str, grace_sec: int, *, attached: bool = False) -> list[str]:
    """The command of the guard of *container*. It reads *script* from its input first. *grace_sec*: how long the
    container may take to stop. *attached*: the container is an instance's, and only the console in it ends."""
    kind = "exec" if attached else "run"
    rest = [container, str(grace_sec), kind, _CONSOLE, _READY_LINE, str(_SILENT_SEC)]
    return as_root(["sh", "-c", _RECEIVE + _GUARD, "guard", _FOLDER, id_, _size(script), *rest])


def client_argv(id_: str) -> list[str]:
    """The command of the client."""
    return as_root(["sh", f"{_FOLDER}/{id_}/client"])


def detach_argv(id_: str, script: str, container: str, unit: str, limit_sec: int) -> list[str]:
    """The command that reads *script* from its input and starts it as the transient *unit*, which ends after
    *limit_sec*."""
    rest = [container, unit, str(limit_sec)]
    return as_root(["sh", "-c", _RECEIVE + _DETACH, "detach", _FOLDER, id_, _size(script), *rest])


def _client(command: str, environment: Environment | None, id_: str) -> str:
    folder = f"{_FOLDER}/{id_}"
    lines = [f"echo $$ >{folder}/pid", f"[ ! -e {folder}/stopped ] || exit 143"]
    if environment is not None:
        # systemd reads its own files of variables, and the shell writes them in a form that another can read.
        properties = " ".join(f"-p {shlex.quote(one)}" for one in environment.properties)
        export = f"systemd-run --quiet --pipe --wait --collect {properties} /bin/sh -c 'export -p' </dev/null"
        lines += [f"variables=$({export}) || exit 125", 'eval "$variables"']
    return "\n".join([*lines, f"exec {command}", ""])


def _size(script: str) -> str:
    return str(len(script.encode()))
