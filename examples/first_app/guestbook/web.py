"""The web server: ``GET /``, ``GET /notes``, ``POST /notes``, and ``DELETE /notes`` with the administrator's token."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from guestbook.database import Database

VERSION = 1
_local = threading.local()


def database():
    """The thread's own client."""
    if not hasattr(_local, "database"):
        _local.database = Database()
    return _local.database


def hello():
    """Answers without the database."""
    return {"greeting": os.environ["GREETING"], "version": VERSION, "unit": os.environ["FLEETCAPTAIN_UNIT"]}


def notes():
    """All notes, newest first."""
    return {"notes": database().call("LRANGE", "notes", 0, -1)}


def add(text):
    """Keep a note, and have a worker count its words."""
    count = database().call("LPUSH", "notes", text)
    database().call("LPUSH", "uncounted", text)
    return {"notes": count}


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def do_GET(self):
        answers = {"/": hello, "/notes": notes, "/health": lambda: {"ok": database().call("PING")}}
        self._answer(answers.get(self.path))

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer((lambda: add(text)) if self.path == "/notes" else None)

    def do_DELETE(self):
        is_allowed = self.headers.get("Authorization") == f"Bearer {os.environ['ADMIN_TOKEN']}"
        answer = (lambda: {"deleted": database().call("DEL", "notes")}) if is_allowed else None
        self._answer(answer if self.path == "/notes" else None)

    def _answer(self, answer):
        status, body = 404, {"error": f"no {self.command} {self.path}"}
        if answer is not None:
            try:
                status, body = 200, answer()
            except Exception as error:  # the server goes on without its database
                status, body = 503, {"error": str(error)}
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, form, *args):
        if self.path in ("/notes",):
            print(form % args)


class Server(ThreadingHTTPServer):
    """Waits for open requests before it ends."""

    daemon_threads = False
    request_queue_size = 128


def main():
    server = Server(("0.0.0.0", 80), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"version {VERSION} serves")
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
