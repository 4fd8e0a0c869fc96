"""Elementary seismograms between the nodes of a table."""
