"""The nightly report."""

from guestbook.database import Database


def main():
    database = Database()
    print(f"{database.call('LLEN', 'notes')} notes, {database.call('GET', 'words')} words")


if __name__ == "__main__":
    main()
