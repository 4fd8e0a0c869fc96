"""The command line, one command a file: each parses its arguments, calls one library function and stops."""
