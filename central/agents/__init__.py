"""Central's side of the wire: messages, commands and signed bundles to and from agents. Judges no door."""
