"""The agent's disk: its SQLite files, key files, lock file, and a disk that refuses. Knows no door."""
