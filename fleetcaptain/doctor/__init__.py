"""Finds what is wrong with the machines of a cluster and the tools of this computer, each with its cure."""
