"""How the machine agent reads etcd's answer for a directory."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files

import pytest


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
    odd.append({**keys[0], "key": "/s/long", "value": "[" * 100_000})
    inner = {"key": "/s", "dir": True, "nodes": [*keys, *odd, other], "modifiedIndex": 40, "createdIndex": 40}
    top = {"key": "/", "dir": True, "nodes": [inner], "modifiedIndex": 30, "createdIndex": 30}
    source = (files("fleetcaptain.agent") / "keys.sh").read_text()
    answer = json.dumps({"action": "get", "node": top}, separators=(",", ":"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{source}\nANSWER=$(cat)\nlisted"],
        input=answer,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["91 m1 - /s/web@1", "92 m1 - /s/web@2", "95 - failing /s/x"]


@pytest.mark.parametrize(("name", "expected"), [("modifiedIndex", "7"), ("ttl", "")])
def test_a_long_value_takes_no_time(name: str, expected: str) -> None:
    """Guests may write what they like below services/. A heartbeat must not wait for it."""
    source = (files("fleetcaptain.agent") / "keys.sh").read_text()
    node = {"key": "/s/x", "value": '["ttl":5,' * 20_000, "modifiedIndex": 7, "createdIndex": 6}
    answer = json.dumps({"action": "get", "node": node}, separators=(",", ":"))
    script = f'{source}\nANSWER=$(cat)\nfield {name}\necho "$FIELD"'
    done = subprocess.run(
        ["/bin/sh", "-c", script], input=answer, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == f"{expected}\n"
