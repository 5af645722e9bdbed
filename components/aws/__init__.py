"""A cluster of CoreOS-style machines on AWS."""
