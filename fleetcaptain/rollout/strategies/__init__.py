"""Rollout strategies: one module for each way to replace the instances of a service."""
