"""Layers whose weights are code words."""
