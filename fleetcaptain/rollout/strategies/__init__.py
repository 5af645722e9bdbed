"""How the instances of a service are replaced: one module for each way."""
