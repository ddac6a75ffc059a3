"""The training core: one step, the loop around it, and scoring."""
