"""The declarations that hold at this agent: accepted, kept, made. What a door makes of them is policy."""
