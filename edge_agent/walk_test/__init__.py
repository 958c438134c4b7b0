"""The walk test: door by door, with a person at the door, what works and what does not; signed at the end.

It runs in the agent's place, on the same drivers, without the network. Planning and judging are pure; the runner
holds the doors meanwhile, so that egress, fire and the panic button are served as ever.
"""
