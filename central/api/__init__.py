"""Central over HTTP: routes, the rights they need, and their answers. The services decide."""
