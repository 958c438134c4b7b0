"""The configuration bundle: fetched, checked, tried, kept or rolled back. What it says is policy."""
