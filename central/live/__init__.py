"""Views of central's state, the live stream of their changes, and central's health. Judges nothing."""
