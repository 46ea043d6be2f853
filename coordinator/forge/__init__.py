"""The forge: issues, comments, pull requests and statuses behind one protocol."""
