"""Files to arrays: COCO's format, the digits, and the encoded training set. Knows no model."""
