"""Whether labels can be guessed without reasoning: attackers that see everything but the logic."""
