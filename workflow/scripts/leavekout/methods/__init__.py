"""Attribution methods: a folder for each family, and the registry that the house knows them by."""
