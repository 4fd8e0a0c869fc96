"""Native kernels. Each folder has the C code, its interface in Cython and a slow NumPy twin with the same signature."""
