"""What travels between agents, central and simulators: words, topics, messages, signatures, the MQTT link.

Imports nothing else of ours, so that every other room can import it.
"""
