"""Releases: their services, their record in etcd, and rollback."""
