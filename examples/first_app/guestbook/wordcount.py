"""The worker: counts the words of new notes."""

import signal
import time

from guestbook.database import Database

_WAIT_SEC = 2


def main():
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    database = Database()
    print("waiting for notes")
    while not stopping:
        try:
            taken = database.call("BRPOP", "uncounted", _WAIT_SEC)
            if taken:
                database.call("INCRBY", "words", len(taken[1].split()))
        except Exception as error:  # the database restarts, or has no machine
            print(f"waiting for the database: {error}")
            time.sleep(1)


if __name__ == "__main__":
    main()
