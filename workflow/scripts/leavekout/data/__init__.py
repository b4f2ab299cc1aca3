"""Files to arrays: COCO's format, digits and letters, the encoded images. Knows no model."""
