"""A program with one foreign image, whose registry requires the login of the stack's configuration."""

from __future__ import annotations

import os

import pulumi

from components.configured_logins import logins_of_stack
from components.engine.abort import abort
from components.pinned_image import PinnedImage, PinnedImageProvider
from fleetcaptain.errors import FleetCaptainError

__all__ = ["PROVIDERS", "declare"]

PROVIDERS = {"PinnedImage": PinnedImageProvider}


def declare() -> None:
    """Declare the image that the environment names, and output its reference."""
    try:
        logins_of_stack()
    except FleetCaptainError as error:
        abort(error)
    pulumi.export("ref", PinnedImage("db", reference=os.environ["IMAGE"], release="").ref)
