"""Central over HTTP: routes, who may use them, and how they answer. Decides nothing that the services do not."""
