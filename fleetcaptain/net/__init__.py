"""HTTP as the cluster's clients need it: unix sockets, and answers of limited size."""
