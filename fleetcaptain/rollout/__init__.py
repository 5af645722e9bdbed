"""Rollouts: bring a running service to its desired state without an outage. Decisions are pure, drivers act."""
