"""What texts are sorted by: labels, read and checked."""
