"""The Pulumi side: resources, their providers and their composition. No other package imports pulumi."""
