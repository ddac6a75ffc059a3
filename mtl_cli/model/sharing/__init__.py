"""How tasks share parameters, one scheme a file."""
