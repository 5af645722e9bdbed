"""Fleetfiles that tests make up, over the whole language."""
