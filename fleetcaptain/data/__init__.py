"""The data of services on machines: named volumes, their backups, and where they are."""
