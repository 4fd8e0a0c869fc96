"""Before a run, tests of the forward and its cost; after it, statistics and a verdict."""
