"""What plugins share of earthquakes: stations, picks, origins, velocity, maps, their file formats, and travel times."""
