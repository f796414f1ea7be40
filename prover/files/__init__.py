"""Files that must not be lost or read by others: keys, and durable writes."""
