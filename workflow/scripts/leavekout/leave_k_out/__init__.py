"""The first kind of experiment: images that methods name are removed, and models trained again."""
