"""The quality gates: what proves that the work is done."""
