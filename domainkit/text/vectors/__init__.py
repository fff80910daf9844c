"""Word vectors: GloVe, word2vec, fastText and CharNGram, mapped from disk."""

from domainkit.text.vectors.names import known_names
from domainkit.text.vectors.vectors import Unknown, Vectors

__all__ = ["Unknown", "Vectors", "known_names"]
