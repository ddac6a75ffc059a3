"""More words for labels, one source a file."""
