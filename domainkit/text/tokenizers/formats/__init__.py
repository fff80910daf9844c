"""Tokenizer files as publishers give them, each turned into a tokenizer of ``tokenizers``."""
