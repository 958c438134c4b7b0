"""The workbench: virtual schools worked by hand over HTTP and in a browser."""
