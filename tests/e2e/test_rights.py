"""What a local cluster keeps from who is inside: this computer's devices and kernel, and deletes in its registry."""

from __future__ import annotations

import requests

from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.localcluster.rights import MASKED, READ_ONLY
from tests.e2e.stack import Stack

# Not below /tmp, where no node can be opened. Each is only opened, never read.
_OPEN_DEVICES = r"""
for device in "c 1 1" "c 1 11" $(sed 's/^/b:/' /sys/block/*/dev 2>/dev/null); do
    node=$(mktemp -u /root/node-XXXXXX)
    mknod $node $(echo $device | tr : " ")
    if head -c 0 < $node; then echo "$device is open"; fi
    rm $node
done
"""
# With what is no module a kernel that would load one answers ENOEXEC (8). 1 is EPERM; 38: it has no modules.
_LOAD_MODULE = """
case $(uname -m) in x86_64) call=175 ;; *) call=105 ;; esac
perl -e 'my ($text, $none) = ("no module", ""); syscall($ARGV[0], $text, length $text, $none); print $! + 0' $call
"""


def _as_root(stack: Stack, script: str) -> str:
    """What *script* prints in a unit of root on the first machine. systemd would replace a ${...} in it."""
    code, output = exec_in(stack.containers()["m1"], "systemd-run", "--quiet", "--wait", "--pipe", "sh", "-c", script)
    assert code in {0, 1}, output
    return output


def test_root_on_a_machine_cannot_open_devices_of_this_computer(stack: Stack) -> None:
    """Nodes of its disks, memory and kernel log can be made, and none of them opened."""
    output = _as_root(stack, _OPEN_DEVICES)
    assert "Operation not permitted" in output
    assert "is open" not in output


def test_root_on_a_machine_cannot_change_the_kernel(stack: Stack) -> None:
    """No modules, no clock, no reboot by sysrq, no settings but those of the machine's network."""
    assert _as_root(stack, _LOAD_MODULE) in {"1", "38"}
    assert "cannot set date: Operation not permitted" in _as_root(stack, "date --set @$(date +%s.%N)")
    # What is masked is /dev/null, or an empty folder. Files of /proc are empty, too.
    seen = f"find {' '.join(MASKED)} -maxdepth 0 ! -type c ! '(' -type d -empty ')' 2>/dev/null"
    assert _as_root(stack, seen) == ""
    assert _as_root(stack, f"find {' '.join(READ_ONLY)} -type f -writable 2>/dev/null") == ""
    assert _as_root(stack, "find /proc/sys/net/ipv4/ip_forward -writable").strip() == "/proc/sys/net/ipv4/ip_forward"


def test_the_registry_deletes_nothing(stack: Stack) -> None:
    """It asks for no login, and a deleted image would be missing where an instance starts next."""
    url = f"http://{stack.registry}/v2/behavioral/redis/manifests"
    kinds = ("oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.v2")
    accept = {"Accept": ", ".join(f"application/vnd.{kind}+json" for kind in kinds)}
    there = requests.head(f"{url}/latest", headers=accept, timeout=5)
    assert there.status_code == 200
    gone = requests.delete(f"{url}/{there.headers['Docker-Content-Digest']}", timeout=5)
    assert gone.status_code == 405
