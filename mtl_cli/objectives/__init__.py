"""What is minimised for one task, one objective a file."""
