"""The Pi's program: reads its doors, decides locally, keeps what it must not forget, speaks to central."""
