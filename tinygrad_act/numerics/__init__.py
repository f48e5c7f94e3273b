"""Algorithms on arrays that NumPy or CuPy lack: erf and its kin, scans by halves, einsum as matrix products."""
