"""The process between the coordinator and a confined command: it starts the command, watches it, and leaves nothing.

Runs isolated (``python -I -S``) with an empty environment and imports the standard library and
`coordinator.sandbox.kernel` only, because it is the most privileged code of the project.
"""

LENGTH_BYTES = 8
"""Of the length, most significant byte first, that stands before the order."""
