"""Which tasks a step holds, one rule a file."""
