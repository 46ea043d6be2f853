"""Tests of `coordinator.gates.cache`."""
