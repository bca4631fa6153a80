"""Recorders: what happens in the process, as records for the evidence."""
