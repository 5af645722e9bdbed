"""Tasks of a deployment: their journal in etcd, what it decides, and a run from its start to its result."""
