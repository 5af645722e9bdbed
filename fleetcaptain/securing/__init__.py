"""Turns etcd's authentication on, by passwords, on a cluster that has no certificates; and off again."""
