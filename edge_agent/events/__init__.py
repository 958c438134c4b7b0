"""Events from the moment they happen until central has committed them; and what was refused. Sends nothing itself."""
