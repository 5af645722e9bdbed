"""The Fleetfile: its keywords, their validation, and the values that they resolve to."""

from fleetcaptain.fleetfile.loader import load

__all__ = ["load"]
