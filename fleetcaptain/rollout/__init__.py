"""Bringing a service from what runs to what is wanted without taking it down: decisions (pure) and their drivers."""
