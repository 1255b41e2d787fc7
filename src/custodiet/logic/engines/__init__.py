"""Engines that decide what follows from premises: each complete on its fragment, no two of a pair sharing code."""
