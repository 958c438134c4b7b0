"""Views of what central knows, and the live stream of their changes. Judges nothing."""
