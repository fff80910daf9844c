"""What the token transforms run on: one pass over the tokens, in Numba on a CPU, else in torch."""
