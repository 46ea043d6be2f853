"""Gates that are commands: a project's own, and the presets of other languages."""
