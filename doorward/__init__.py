"""The command line of Doorward. The rooms beside this package do the work."""
