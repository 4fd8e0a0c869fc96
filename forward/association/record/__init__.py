"""A record of picks, from files or a stream to a catalogue: windows, what is kept of them, and the directory."""
