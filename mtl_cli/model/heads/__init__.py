"""The layers on top, one kind of head a file."""
