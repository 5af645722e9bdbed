"""A service as systemd unit text: rendered, marked with its owner, hashed as fleet does it, and checked.

Nothing is imported here: the checks of a Fleetfile use `names` and `xfleet`, and rendering uses the Fleetfile's values.
"""
