"""Units, seeds, statistics and the protocols through which audits see a model; imports nothing of ours but errors."""
