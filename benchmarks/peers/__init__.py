"""Other programs, called as their guides say, for comparisons."""
