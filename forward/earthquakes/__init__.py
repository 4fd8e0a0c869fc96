"""Parts that plugins on earthquakes share: stations, picks, origins, velocity, maps, file formats, and travel times."""
