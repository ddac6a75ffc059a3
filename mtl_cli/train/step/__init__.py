"""What one step does, one way a file."""
