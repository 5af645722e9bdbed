"""What `captain status` shows: one reading of the cluster, the report of it, and the report as text and JSON."""
