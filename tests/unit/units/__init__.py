"""Tests of the unit text and of its shell lines."""
