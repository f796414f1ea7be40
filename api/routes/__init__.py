"""What is served where: operators, customers, the public files, health."""
