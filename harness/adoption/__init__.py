"""Looks at a project without importing it, and writes the adapter with which it can be verified."""
