"""The life of a run: the problem, its directory, its result, its jobs."""
