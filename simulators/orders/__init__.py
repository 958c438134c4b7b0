"""Orders to a virtual school: which there are, how they are checked, the socket they come by."""
