"""Native kernels. Each folder has the C code, its Cython door and a slow NumPy twin with the same signature."""
