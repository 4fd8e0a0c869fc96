"""Job scripts for schedulers: one scheduler a file (not yet written)."""
