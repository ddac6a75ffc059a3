"""The zero-shot engines, one file each: texts, labels -> logits."""
