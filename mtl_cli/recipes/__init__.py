"""One subcommand's whole story each: the only place where the rooms are put together."""
