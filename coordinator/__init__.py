"""The coordinator: an action that turns an issue into a pull request which has passed the quality gates."""

__version__ = "0.1.0"
