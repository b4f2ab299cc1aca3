"""Attribution: from a model and a query to a score for every training image."""
