"""One module per kind of work; the only place that knows the order of steps."""
