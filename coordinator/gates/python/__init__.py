"""Python's gates: mypy, ruff, and the one pytest run that serves tests and coverage."""
