"""One module per command: builds the parts once and hands them to a flow."""
