"""What others have written down about words: readers of their files."""
