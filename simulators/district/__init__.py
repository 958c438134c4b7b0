"""A virtual district on one machine: its plan, its files, its processes, its API as a client sees it."""
