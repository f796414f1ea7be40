"""Side by side: Assay and what one would pick instead, on one machine in one go."""
