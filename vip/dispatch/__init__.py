"""Evaluating the particles: in this process, on Dask workers or on MPI ranks."""
