"""Declares, signs, releases, and follows how far the doors have got. Sends through central.agents."""
