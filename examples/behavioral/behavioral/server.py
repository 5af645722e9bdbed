"""The web server: counts visits, enqueues jobs, and shows their results."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = "Behavioral says hello"
QUEUES = ("important", "ongoing")


def visit(store, unit):
    """Count a visit and enqueue a job for it; the queues take turns."""
    number = int(store.call("INCR", "visits"))
    job = {"visit": number, "queue": QUEUES[number % len(QUEUES)]}
    store.call("LPUSH", f"queue:{job['queue']}", json.dumps(job))
    return {"greeting": GREETING, "visits": number, "unit": unit}


def results(store):
    """The last results that workers recorded, newest first."""
    return [json.loads(entry) for entry in store.call("LRANGE", "results", 0, 19)]


def answer(path, store, unit):
    """The status and the body for a GET of *path*."""
    try:
        if path == "/":
            return 200, visit(store, unit)
        if path == "/results":
            return 200, results(store)
        if path == "/alive":
            return 200, {"ok": True}
        if path == "/health":
            store.call("PING")
            return 200, {"ok": True}
    except Exception as error:  # the server keeps running if redis fails
        return 503, {"error": str(error)}
    return 404, {"error": f"nothing at {path}"}


def handler(store, unit):
    """The request handler that serves from *store*."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answer(self.path, store(), unit)
            data = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, form, *args):
            if self.path not in ("/health", "/alive"):
                print(form % args)

    return Handler


class Server(ThreadingHTTPServer):
    """Waits for open requests before it ends."""

    daemon_threads = False
    request_queue_size = 128


def main():
    from behavioral.store import Store

    local = threading.local()

    def store():
        if not hasattr(local, "store"):
            local.store = Store()
        return local.store

    server = Server(("0.0.0.0", 80), handler(store, os.environ.get("FLEETCAPTAIN_UNIT", "")))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(GREETING)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
