"""Who evaluates the particles."""
