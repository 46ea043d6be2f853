"""Git: the trusted clone, the agent's checkout, the candidate tree, the push."""
