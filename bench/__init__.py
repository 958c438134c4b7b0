"""Measures what must be fast, each beside its floor, in one run."""
