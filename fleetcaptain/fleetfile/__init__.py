"""The Fleetfile: its words, what they may say, and the values that they stand for."""

from fleetcaptain.fleetfile.loader import load

__all__ = ["load"]
