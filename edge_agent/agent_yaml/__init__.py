"""agent.yaml: forms (what may stand there), reading, checks, and the wiring made of it. Runs nothing."""
