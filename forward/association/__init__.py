"""Association of picks: which earthquakes there were, which picks are theirs, and how sure that is."""
