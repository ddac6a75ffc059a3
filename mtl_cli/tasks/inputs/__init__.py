"""How a raw row becomes what a model reads, one way a file."""
