"""Plugins of physics: each forward has a folder."""
