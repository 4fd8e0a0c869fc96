"""Physics plugins, one folder each."""
