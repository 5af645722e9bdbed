"""A pretended etcd, and an app in a container of its unit, as for the Python functions."""

from tests.unit.discovery_app.conftest import environ, etcd

__all__ = ["environ", "etcd"]
