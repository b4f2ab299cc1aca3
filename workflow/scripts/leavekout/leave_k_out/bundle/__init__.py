"""A finished study in one folder, so that others can put a method of theirs beside its methods."""
