"""Tests of `coordinator.gates.target`."""
