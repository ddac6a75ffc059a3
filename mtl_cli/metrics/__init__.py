"""Predictions -> numbers, with bootstrap intervals."""
