"""The doors of one agent: the pure door machine, and the hardware it is stepped with. Judges no badge."""
