"""Where an image's manifest is, and what its registry's answer means."""

from __future__ import annotations

import http.server
import subprocess
import threading

import pytest

from fleetcaptain.release.images import ACCEPT, ImageState, judged, probe_argv, probed, reference

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "url"),
    [
        (f"127.0.0.1:5000/hackuman/app@{SHA}", f"http://127.0.0.1:5000/v2/hackuman/app/manifests/{SHA}"),
        (f"localhost:5000/app@{SHA}", f"http://localhost:5000/v2/app/manifests/{SHA}"),
        (f"registry.example:443/a/b@{SHA}", f"https://registry.example:443/v2/a/b/manifests/{SHA}"),
        (f"registry.example/a/b:v1@{SHA}", f"https://registry.example/v2/a/b/manifests/{SHA}"),
        ("redis:7", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
        ("redis", "https://registry-1.docker.io/v2/library/redis/manifests/latest"),
        ("hackuman/behavioral", "https://registry-1.docker.io/v2/hackuman/behavioral/manifests/latest"),
        ("[::1]:5000/app:v1", "http://[::1]:5000/v2/app/manifests/v1"),
        ("docker.io/library/redis:7", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
    ],
)
def test_where_a_manifest_is(image: str, url: str) -> None:
    """As docker reads references: the public registry unless one is named, and no TLS on the loopback."""
    assert reference(image).url == url


# A record may hold anything; curl would make many requests of the first.
HOSTILE = [
    "127.0.0.1:5000/[1-500]",
    "127.0.0.1:5000/{a,b}",
    "user:password@host/x",
    "host/x?y=1",
    "host/x#y",
    "host/../x",
    "host/a b",
    "host:99999999/x",
    "--privileged",
    "-K/etc/passwd",
    "file:///etc/passwd",
    "http://host/x",
    "host/x:tag/../../y",
    "host/x@sha256:zz",
    "host/x\n",
    "höst/x",
    "[::1/x",
    "",
]


@pytest.mark.parametrize("image", HOSTILE)
def test_what_is_no_reference_is_not_asked_for(image: str) -> None:
    """Its state is unknown, and does not shift those of the others."""
    with pytest.raises(ValueError, match="is not an image reference"):
        reference(image)
    images = ["a", image, "b"]
    assert probe_argv(images)[7::2] == [reference("a").url, reference("b").url]
    unknown = ImageState.UNKNOWN
    assert probed(images, "200\n404\n") == {"a": ImageState.THERE, image: unknown, "b": ImageState.GONE}


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "there"), (404, "gone"), (401, "unknown"), (429, "unknown"), (500, "unknown"), (0, "unknown")],
)
def test_only_a_404_says_that_an_image_is_gone(status: int, state: str) -> None:
    """A registry that asks for a login, or does not answer, says nothing."""
    assert judged(status) == state


def test_what_no_machine_says_is_unknown() -> None:
    """Nor is what it says beyond the lines that were asked for."""
    assert probed(["a", "b"], None) == {"a": ImageState.UNKNOWN, "b": ImageState.UNKNOWN}
    assert probed(["a", "b"], "200\n") == {"a": ImageState.THERE, "b": ImageState.UNKNOWN}
    assert probed(["a"], "404\n") == {"a": ImageState.GONE}
    assert probed(["a"], "sh: curl: not found\n")["a"] is ImageState.UNKNOWN


def test_the_command_asks_for_every_kind_of_manifest() -> None:
    """It is a HEAD; a registry that finds the image only under the newer kinds answers 200 too. One that leads
    elsewhere is not followed."""
    asked = []

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append((self.path, self.headers["Accept"]))
            self.send_response(307 if "moved" in self.path else 200 if "here" in self.path else 404)
            self.send_header("Location", "/here")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        images = [f"127.0.0.1:{server.server_port}/{name}@{SHA}" for name in ("here", "lost", "moved")]
        said = subprocess.run(probe_argv(images), capture_output=True, text=True, check=False).stdout
        server.shutdown()
    assert list(probed(images, said).values()) == [ImageState.THERE, ImageState.GONE, ImageState.UNKNOWN]
    assert asked == [(f"/v2/{name}/manifests/{SHA}", ACCEPT) for name in ("here", "lost", "moved")]
