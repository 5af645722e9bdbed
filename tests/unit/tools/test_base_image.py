"""The base image that is made where Debian's own cannot be pulled."""

from __future__ import annotations

from pathlib import Path

from tools.base_image import clean_apt


def test_what_only_apt_reads_is_not_in_the_image(tmp_path: Path) -> None:
    """Neither now nor after packages are installed in an image that is built on it."""
    archives, lists = tmp_path / "var/cache/apt/archives", tmp_path / "var/lib/apt/lists"
    for folder in (archives / "partial", lists / "partial", tmp_path / "etc/apt/apt.conf.d"):
        folder.mkdir(parents=True)
    (archives / "bash.deb").touch()
    (lists / "trixie_main").touch()
    clean_apt(tmp_path)
    assert [path.name for path in (*archives.iterdir(), *lists.iterdir())] == ["partial", "partial"]
    assert "pkgcache" in (tmp_path / "etc/apt/apt.conf.d/docker-clean").read_text()
