"""The migration: brings the database to the schema of this version, one step after the other."""

from guestbook.database import Database

STEPS = [["SETNX", "words", 0]]


def main():
    database = Database()
    done = int(database.call("GET", "schema") or 0)
    for number, step in enumerate(STEPS[done:], done + 1):
        database.call(*step)
        database.call("SET", "schema", number)
        print(f"step {number}: {' '.join(map(str, step))}")
    print(f"the schema is {len(STEPS)}")


if __name__ == "__main__":
    main()
