"""The environment that a target project's tests run in: what it needs, how it is installed, where it is kept."""
