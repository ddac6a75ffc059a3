"""Labels that were never trained on: texts, labels -> scores."""
