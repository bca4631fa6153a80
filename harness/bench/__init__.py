"""Measurements: what parallel tools gain, what each repair costs, and whether it became worse."""
