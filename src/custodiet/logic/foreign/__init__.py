"""Data sets of logic that others made: what each of their rows claims, in formulas."""
