"""The command line: one command a file. Each parses, calls one library function and stops."""
