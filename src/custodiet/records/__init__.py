"""Typed, versioned results; the run folder; the SQLite index that can be rebuilt from folders."""
