"""Declares, signs and releases, and tracks which doors are proven. Sends through central.agents."""
