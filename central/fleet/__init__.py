"""What every agent and door may be shown as, now. Pure: messages and times in, changes out."""
