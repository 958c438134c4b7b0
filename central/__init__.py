"""The district's service and console: keeps the records, shows every door live, declares emergencies."""
