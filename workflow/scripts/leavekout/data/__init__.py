"""The data: COCO's format, digits and letters, downloads, encoded images. It uses no model."""
