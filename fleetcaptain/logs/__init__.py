"""What `captain logs` shows: the journals of a service's units on all machines, merged by time."""
