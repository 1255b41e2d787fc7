"""Benchmarks against peers: ratios from one run, as JSON and as dated Markdown."""
