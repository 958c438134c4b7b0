"""Decides how every agent and door may be shown now. Pure: messages and times in, changes out."""
