"""What may be wrong with labels, one check a file."""
