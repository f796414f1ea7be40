"""What signed bytes mean: records, constants, ids, keys, units, levels, times."""
