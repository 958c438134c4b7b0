"""Alarms: which are on, which are grouped, and what they are called. Finds no fault itself."""
