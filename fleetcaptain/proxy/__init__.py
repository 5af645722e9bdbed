"""The proxy of an app's public services: its image, and the service that runs it on every machine."""
