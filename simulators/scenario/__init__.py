"""Scenarios: parsed, played against a running district, and judged. The library holds those that ship."""
