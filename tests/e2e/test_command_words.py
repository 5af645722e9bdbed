"""What a container gets: the words, variables and mounts of the Fleetfile, and what the machine replaces in them."""

from __future__ import annotations

import json
import urllib.request

from tests.e2e.stack import Stack

# Answers only who asks for this name and path, with this header; says what the container got.
_SERVER = """
import http.server, json, os, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        right = (self.path, self.headers["Host"], self.headers["X-A"]) == ("/x?[a]={b}", "words.invalid", "a b")
        self.send_response(200 if right or self.path == "/got" else 404)
        self.end_headers()
        got = {"words": sys.argv[1:], "env": dict(os.environ), "host": socket.gethostname()}
        self.wfile.write(json.dumps({**got, "data": os.listdir("/data")}).encode())
http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
"""
_WORDS = ["it's", "", "a && b > c", "$HOME `x` 100%", "%Y-%m-%d", "a  b", '"q"', "\\\\", "<{% x %}>"]
_LONG = "word " * 1500
_SERVICE = f"""
        Service(
            "words",
            instances=2,
            ports=["8090-8099:80"],
            ready=Http("/x?[a]={{b}}", host="words.invalid", headers={{"X-A": "a b"}}),
            command=["python3", "-c", {f"exec({_SERVER!r})"!r}, *{_WORDS!r}, Expand("es-%i %%"), Literal("%i")],
            env={{
                "discovery.type": "single-node",
                "RATE": 0.5,
                "HOST": Expand("${{COREOS_PRIVATE_IPV4}}"),
                "LONG": {_LONG!r},
                "SHELL_LIKE": "$HOME && it's",
            }},
            docker_args=["--hostname", Expand("es-%i"), "--health-cmd", "true || exit 1", "-e", "MSG=it's"],
            volumes=[Expand("words-%i:/data:ro")],
        ),
"""


def test_words_arrive_as_they_are_written(stack: Stack) -> None:
    """Each entry is one word, letters are letters, and an Expand is the machine's own; readiness asks by name."""
    changes = {"import Build,": "import Build, Expand, Literal,", "    services=[": f"    services=[{_SERVICE}"}
    with stack.edited("Fleetfile.py", changes):
        stack.up()
        urls = stack.outputs()["endpoints"]["words"]
        stack.rests()
    assert len(urls) == 2
    for url in urls:
        with urllib.request.urlopen(f"{url}/got", timeout=5) as response:  # noqa: S310  the stack's own endpoint
            got = json.loads(response.read())
        unit, env = got["env"]["FLEETCAPTAIN_UNIT"], got["env"]
        number = unit.removeprefix("words@").removesuffix(".service")
        assert got["words"] == [*_WORDS, f"es-{number} %", "%i"]
        assert (got["host"], got["data"]) == (f"es-{number}", [])
        assert (env["discovery.type"], env["RATE"], env["MSG"]) == ("single-node", "0.5", "it's")
        assert (env["LONG"], env["SHELL_LIKE"]) == (_LONG, "$HOME && it's")
        assert env["HOST"] == env["FLEETCAPTAIN_HOST"]
    stack.up()
