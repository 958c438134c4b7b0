"""Events in the records: taken in once each, read as history, fed to a time-series server."""
