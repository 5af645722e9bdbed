"""Windows: how many instances a service needs at a time of day, and what the cluster must know to have them ready."""
