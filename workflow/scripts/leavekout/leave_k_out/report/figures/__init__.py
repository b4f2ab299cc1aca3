"""The figures: one message each, the same colour for a method everywhere."""
