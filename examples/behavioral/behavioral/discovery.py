"""Looks redis up in etcd each time: its address changes with every generation."""

import json
import os
import time
import urllib.request

_TRIES = 5
_PAUSE_SEC = 1


def newest(answer):
    """The connection of the newest instance in etcd's *answer* that is not draining; None if there is none."""
    nodes = answer.get("node", {}).get("nodes") or ()
    found = [json.loads(node["value"]) for node in nodes if "value" in node]
    living = [instance for instance in found if not instance.get("draining")]
    if not living:
        return None
    connection = max(living, key=lambda instance: instance.get("since", ""))["connection"]
    return connection["host"], int(connection["port"])


def find(service, environment=os.environ, sleep=time.sleep):
    """The host and port of *service*. Raises LookupError if it is not registered within a few seconds."""
    url = (
        f"{environment['FLEETCAPTAIN_ETCD']}/v2/keys/fleetcaptain/{environment['FLEETCAPTAIN_APP']}/services/{service}"
    )
    problem = "nothing is registered"
    for attempt in range(_TRIES):
        if attempt:
            sleep(_PAUSE_SEC)
        try:
            with urllib.request.urlopen(url, timeout=3) as response:
                place = newest(json.load(response))
        except (OSError, ValueError, KeyError) as error:
            problem = str(error)
        else:
            if place is not None:
                return place
    raise LookupError(f"Could not find {service}: {problem}")
