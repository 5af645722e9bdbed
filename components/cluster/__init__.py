"""Clusters: what each offers, and the one on this computer."""
