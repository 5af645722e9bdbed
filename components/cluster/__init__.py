"""Clusters: their interface, the local one and existing ones."""
