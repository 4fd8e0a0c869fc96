"""One window of picks, as arrays of channels: its events, their picks, and how sure that is."""
