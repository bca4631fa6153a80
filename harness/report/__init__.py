"""Reports: the run document, and what is made of it for people and for machines."""
