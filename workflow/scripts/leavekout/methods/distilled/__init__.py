"""Features that learned how attribution by unlearning ranks images (FDA)."""
