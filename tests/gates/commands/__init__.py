"""Tests of `coordinator.gates.commands`."""
