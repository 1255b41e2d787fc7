"""Formulas, engines that decide them, proofs and their judge, and data whose every label is proved."""
