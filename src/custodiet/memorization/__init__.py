"""Extraction, membership, exposure, bits, forecast: what a model kept of its text."""
