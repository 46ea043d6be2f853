"""Tests of `coordinator.gates.reports`."""
