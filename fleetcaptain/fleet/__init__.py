"""The fleet API as it really behaves: values, a client, its transport, and the tunnel through SSH."""
