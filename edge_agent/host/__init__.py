"""The Pi under the agent: clock, watchdog, health. Knows no door."""
