"""The walk test: tests each door with a person at it, and signs a report of what works and what does not.

It runs in place of the agent, on the same drivers, without the network. Planning and judging are pure; the runner
holds the doors, so that egress, fire and the panic button work as always.
"""
