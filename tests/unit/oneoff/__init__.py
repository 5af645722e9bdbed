"""Tests of one-off commands and consoles."""
