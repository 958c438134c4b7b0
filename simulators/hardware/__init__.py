"""Virtual hardware, down to bytes and levels: doors, switches, lines, readers. Knows no agent."""
