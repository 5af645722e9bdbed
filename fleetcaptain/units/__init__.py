"""A service as systemd unit text: rendered, marked with its owner, hashed as fleet does it, and checked.

Nothing is imported here: a Fleetfile's checks ask `names` and `xfleet`, and what renders a service needs a Fleetfile's.
"""
