"""The access desk: follows an attempt from what a reader read to a granted or denied door. Moves no lock itself."""
