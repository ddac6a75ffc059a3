"""Multi-task learning and zero-shot transfer with language models, from the command line."""

__version__ = "0.1.0"
