"""A machine's definition and its Ignition JSON, for AWS and local Docker alike."""
