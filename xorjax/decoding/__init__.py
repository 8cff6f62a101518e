"""Decoders of packed code words, jitted and by definition."""
