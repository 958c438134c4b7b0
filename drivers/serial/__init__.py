"""Serial ports, and readers that speak ASCII on one of their own. Knows no frames of OSDP."""
