"""The history of rollouts: what a rollout records of itself in etcd, and how it is shown. `stored_records` reads it."""
