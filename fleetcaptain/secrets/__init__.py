"""Secrets of an app: encrypted in etcd, in clear only on a machine that runs what needs them."""
