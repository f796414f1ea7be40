"""Where a bundle is read from: folders and URLs, published folders, deadlines."""
