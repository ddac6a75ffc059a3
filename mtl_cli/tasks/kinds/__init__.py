"""The kinds of task, one file each: label encoding, head, loss, decoding."""
