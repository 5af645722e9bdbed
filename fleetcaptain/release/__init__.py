"""A release as one thing: what it is made of, how it is written down, and whether it can be gone back to."""
