"""Made-up exchanges to try everything with."""
