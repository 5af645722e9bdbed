"""The base image of machines and examples: pulled, or made by debootstrap if it cannot be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tools.debian import install_packages
from tools.pins import BASE_IMAGE, BASE_SUITE, BY_HAND
from tools.project_layout import Layout
from tools.shell import answer, run
from tools.tool_failure import ToolFailed

__all__ = ["clean_apt", "fetch_base_image", "has_base_image", "unmount_below"]

_PULL_SEC = 180
# Debian's published image has the like: else each image that installs packages keeps a hundred MB that only apt reads.
_APT_KEEPS_NOTHING = """\
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
"""


def has_base_image() -> bool:
    """Whether the engine has the image."""
    return answer(["docker", "image", "inspect", "--format", "{{.Id}}", BASE_IMAGE])[0]


def fetch_base_image(layout: Layout) -> str:
    """Pull the image, or make it from Debian's packages. Returns which. Raises ToolFailed if both fail."""
    if has_base_image():
        return "the engine has it"
    log, by_hand = layout.log(BASE_IMAGE), BY_HAND[BASE_IMAGE]
    log.unlink(missing_ok=True)
    try:
        run(["docker", "pull", BASE_IMAGE], log, timeout=_PULL_SEC)
    except ToolFailed as error:
        if os.geteuid() != 0:
            raise ToolFailed(f"{error.what}, and only root may run debootstrap", log=log, by_hand=by_hand) from error
    else:
        return "pulled"
    if _debootstrap() is None:
        install_packages(["debootstrap"], layout)
    root = layout.scratch / "base"
    try:
        run([_debootstrap() or "debootstrap", "--variant=minbase", BASE_SUITE, str(root)], log, by_hand=by_hand)
        clean_apt(root)
        _import(root, log)
    finally:
        unmount_below(root)
        shutil.rmtree(root, ignore_errors=True)
    return "made by debootstrap, because it cannot be pulled"


def unmount_below(folder: Path) -> None:
    """Unmount the mounts of an interrupted debootstrap below *folder*, so that it can be removed."""
    points = [Path(row.split()[1]) for row in Path("/proc/mounts").read_text(errors="surrogateescape").splitlines()]
    for point in sorted((point for point in points if folder in point.parents), reverse=True):
        answer(["umount", "--lazy", str(point)])


def _debootstrap() -> str | None:
    return shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def clean_apt(root: Path) -> None:
    """Remove what debootstrap downloaded to *root*, and have apt keep nothing there."""
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
        for path in (root / folder).glob("*"):
            if path.is_file():
                path.unlink()
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(_APT_KEEPS_NOTHING)


def _import(root: Path, log: Path) -> None:
    argv = ["docker", "import", "--change", 'CMD ["bash"]', "-", BASE_IMAGE]
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
        done = subprocess.run(
            argv, stdin=tar.stdout, capture_output=True, text=True, errors="backslashreplace", check=False
        )
    with log.open("a") as output:
        output.write(done.stdout + done.stderr)
    if done.returncode != 0 or tar.returncode != 0:
        raise ToolFailed(f"{BASE_IMAGE} cannot be imported", log=log, by_hand=BY_HAND[BASE_IMAGE])
