"""The main job on a sample repository, with no keys and no server."""
