"""The history of rollouts: what a rollout records of itself in etcd, and how it is shown. Pure but for `repository`."""
