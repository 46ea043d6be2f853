"""Running what the agent or the repository wrote: clean environment, limits, another uid, nothing left behind."""
