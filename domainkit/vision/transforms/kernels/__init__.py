"""Fused kernels: one concept each, in up to three forms (torch, Numba on a CPU, Triton on a GPU)."""
