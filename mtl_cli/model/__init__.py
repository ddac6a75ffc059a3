"""Batch -> outputs of each task's head: backbone, sharing, heads."""
