"""The installed version of Doorward."""

from importlib import metadata

try:
    VERSION = metadata.version("doorward")
except metadata.PackageNotFoundError:  # run from a source tree that was never installed
    VERSION = "unknown"
