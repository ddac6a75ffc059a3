"""What a task is: its kind (what labels mean) and where its rows come from."""
