"""A bundle: a finished study in one folder, so that others can add a method to it."""
