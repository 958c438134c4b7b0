"""Virtual hardware, sites, districts and scenarios. The agent that runs on them is the real one."""
