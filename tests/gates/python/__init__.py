"""Tests of `coordinator.gates.python`."""
