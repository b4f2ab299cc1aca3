"""What the reports of all kinds of experiment share: page, text, gallery, figure style."""
