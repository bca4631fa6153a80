"""What the command does, apart from its options and its printing: one module a part."""
