"""Everything about a run: the problem, its directory, its result, its jobs."""
