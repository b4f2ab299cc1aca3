"""Attribution by unlearning: forget the query, and see which training losses rise."""
