"""HTTP for the cluster's clients: unix sockets, and answers of limited size."""
