"""The command line of Doorward. The rooms beside this package do the work."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("doorward")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"
