"""The rights of a local cluster's containers on this computer: only those that systemd and the docker inside need.

This is no boundary against an attacker: with SYS_ADMIN, which both need, root on a machine can undo most of it. It
stops accidents and ready-made attacks.

Capabilities are listed by name because "all" grows with the engine and the kernel. Each name is older than any kernel
that runs the machines, since an engine refuses unknown names. Some engines lack SYS_RESOURCE, which also rules out
`--privileged`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MACHINE_RIGHTS", "MASKED", "READ_ONLY", "REGISTRY_RIGHTS"]

# Docker's default for a container; the docker inside gives the same to its own.
_DEFAULT = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_CHROOT"),
    *("AUDIT_WRITE", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP"),
)
_CAPABILITIES = (
    *_DEFAULT,
    "SYS_ADMIN",  # mounts, namespaces and cgroups: systemd and every container inside. Nearly root by itself
    "NET_ADMIN",  # bridges, published ports, the machine's firewall
    "SYS_PTRACE",  # `docker exec` into a container whose user is not root
    "AUDIT_CONTROL",  # SSH logins, when the engine was started in a login session: pam_loginuid
    *("IPC_LOCK", "SYS_NICE"),  # for apps: databases lock memory and set priorities. Both reach time and memory only
)

# The paths that an engine masks for any other container, and sysrq, which can reboot the computer or dump its memory.
MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
# An engine's usual paths except /proc/sys/net: it is the machine's own, and the docker inside turns forwarding on.
READ_ONLY = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys/abi",
    "/proc/sys/debug",
    "/proc/sys/dev",
    "/proc/sys/fs",
    "/proc/sys/kernel",
    "/proc/sys/user",
    "/proc/sys/vm",
)

# No rules for devices: the engine's own let a container create any node (images have some), but open only null, random,
# terminals and the like. AppArmor's default profile forbids mounts. seccomp's default forbids keyctl, which the runc
# inside calls for every container; the missing capabilities cover its other rules.
MACHINE_RIGHTS: Mapping[str, Any] = {
    "CapDrop": ["ALL"],
    "CapAdd": list(_CAPABILITIES),
    "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
    "MaskedPaths": list(MASKED),
    "ReadonlyPaths": list(READ_ONLY),
    "CgroupnsMode": "private",
    "Tmpfs": {"/run": "", "/run/lock": "", "/tmp": ""},  # noqa: S108  the machine's own
}

# It listens on a high port and writes its volume, as the owner of both.
REGISTRY_RIGHTS: Mapping[str, Any] = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "ReadonlyRootfs": True,
}
