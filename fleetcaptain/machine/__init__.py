"""One machine's definition: what it is, and the Ignition JSON that makes it so, on AWS and in local Docker alike."""
