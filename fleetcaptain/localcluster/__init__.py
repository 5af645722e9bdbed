"""A fleet cluster of containers in the Docker engine of this computer; knows nothing of Pulumi."""
