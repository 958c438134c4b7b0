"""What every room may stand on: reading YAML forms and telling every mistake in them. Imports nothing of ours."""
