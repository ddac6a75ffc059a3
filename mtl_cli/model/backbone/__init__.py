"""The encoders, one way to get one a file."""
