"""The example app of FleetCaptain."""
