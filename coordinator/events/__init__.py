"""What the forge told the runner, as one typed event, and whether it may start a run."""
