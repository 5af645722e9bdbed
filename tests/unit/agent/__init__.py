"""Tests of the machine agent: the real program, run with sh."""
