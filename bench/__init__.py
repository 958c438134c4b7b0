"""Measures the paths that must be fast, each beside its floor, in one run."""
