"""What every room may use: clock, YAML forms, counted refusals, reporters, version. Imports nothing of ours."""
