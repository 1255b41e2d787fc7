"""Corpora, tokenizers, packing, canaries and masks; imports no torch."""
