"""The configuration: YAML files to typed values, and every refusal of values that do not fit."""
