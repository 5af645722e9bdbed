"""Reconciles etcd's members with the wanted ones, one at a time and always with a quorum."""
