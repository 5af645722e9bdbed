"""fleet's API: values, a client, its transport, and the SSH tunnel to it."""
