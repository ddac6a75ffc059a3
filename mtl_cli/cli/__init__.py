"""Words -> config -> one recipe -> print. Imports nothing heavy before a command runs."""
