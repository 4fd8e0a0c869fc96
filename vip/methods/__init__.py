"""One method a file: its settings, and how the algorithm is built from them."""
