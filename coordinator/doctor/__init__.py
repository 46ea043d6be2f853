"""What the machine, the server, the token and the configuration can and cannot do: one module per group of checks."""
