"""The agent on the network: topics in, messages out. Decides nothing."""
