"""A worker: takes jobs from its queue and records who did them. ``python3 -m behavioral.worker QUEUE=important``."""

import hashlib
import json
import os
import signal
import sys
import time

_WAIT_SEC = 2
_KEPT = 100


def work(job, unit):
    """Do *job*; the result names the worker."""
    digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
    return {**job, "result": digest[:12], "by": unit}


def step(store, queue, unit):
    """Take one job and record its result; whether there was one."""
    taken = store.call("BRPOP", f"queue:{queue}", _WAIT_SEC)
    if not taken:
        return False
    store.call("LPUSH", "results", json.dumps(work(json.loads(taken[1]), unit)))
    store.call("LTRIM", "results", 0, _KEPT - 1)
    return True


def main(argv):
    from behavioral.store import Store

    queue = dict(word.split("=", 1) for word in argv)["QUEUE"]
    unit = os.environ.get("FLEETCAPTAIN_UNIT", "")
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    store = Store()
    print(f"working on {queue}")
    while not stopping:
        try:
            step(store, queue, unit)
        except Exception as error:  # redis is being replaced, or is not ready yet
            print(f"waiting for redis: {error}")
            time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1:])
