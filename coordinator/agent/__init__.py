"""The agent step: a loop over a model that works on a checkout with three tools."""
