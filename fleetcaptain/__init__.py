"""FleetCaptain deploys an app made of several services to a fleet cluster without taking it down.

These are the words of a Fleetfile; docs/fleetfile.md says what each of them means.
"""

from fleetcaptain.fleetfile.values import BlueGreen, Build, Command, Http, Rolling, Tcp
from fleetcaptain.fleetfile.words import Fleetfile, Service

__all__ = ["BlueGreen", "Build", "Command", "Fleetfile", "Http", "Rolling", "Service", "Tcp"]
