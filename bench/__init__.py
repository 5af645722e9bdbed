"""Benchmarks: ratios, both sides of each measured in one run on one machine. ``make bench`` runs them all."""

__all__: list[str] = []
