"""`mtl train`."""
