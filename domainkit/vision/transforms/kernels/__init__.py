"""Fused kernels, each in up to three forms: torch, Numba (CPU) and Triton (GPU)."""
