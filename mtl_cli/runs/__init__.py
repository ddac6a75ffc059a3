"""The run folder: layout, lock, records, checkpoints. Knows tensors and plain values; no model, no task."""
