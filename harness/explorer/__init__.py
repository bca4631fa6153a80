"""Interleavings: who goes when."""
