"""Shannon's measures and n-gram models; imports no torch."""
