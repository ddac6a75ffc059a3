"""Losses -> gradients, one rule a file. Sees losses, parameters and passes; never tasks, data or config."""
