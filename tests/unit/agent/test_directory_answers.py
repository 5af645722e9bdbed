"""How the machine agent reads etcd's answer for a directory."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files


def test_each_key_has_its_own_index() -> None:
    """Also the last one, which the index of the directory follows. Odd keys and machines are left out."""
    value = json.dumps({"service": "web", "machine": "m1", "ports": {"80": 1}}, separators=(",", ":"))
    keys = [{"key": f"/s/web@{n}", "value": value, "modifiedIndex": 90 + n, "createdIndex": 9} for n in (1, 2)]
    other = {
        "key": "/s/x",
        "value": '{"draining":true,"failing":"a"}',
        "ttl": 5,
        "modifiedIndex": 95,
        "createdIndex": 8,
    }
    odd = [{**keys[0], "key": "/s/a b"}, {**keys[0], "value": '{"machine":"m1 - /s/x"}'}]
    inner = {"key": "/s", "dir": True, "nodes": [*keys, *odd, other], "modifiedIndex": 40, "createdIndex": 40}
    top = {"key": "/", "dir": True, "nodes": [inner], "modifiedIndex": 30, "createdIndex": 30}
    source = (files("fleetcaptain.agent") / "keys.sh").read_text()
    answer = json.dumps({"action": "get", "node": top}, separators=(",", ":"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{source}\nlisted"], input=answer, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["91 m1 - /s/web@1", "92 m1 - /s/web@2", "95 - failing /s/x"]
