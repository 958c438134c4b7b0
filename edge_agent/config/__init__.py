"""Makes an agent's wiring out of agent.yaml: forms (what may stand there), reading, building, checks."""
