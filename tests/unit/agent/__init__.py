"""The machine agent's program, run by sh on a pretended machine."""
