"""One-off commands and consoles: in a fresh container of a service, or in one of its running instances."""
