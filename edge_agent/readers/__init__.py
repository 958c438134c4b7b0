"""The readers of one agent, of every family: lines, keys, first keys. Judges no card."""
