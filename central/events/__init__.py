"""Takes each event into the records once, reads history, feeds a time-series server."""
