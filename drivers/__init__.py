"""Hardware in, hardware out: one small interface each, the same object on a Pi, in a simulator and in a test.

Imports nothing else of ours.
"""
