"""A real Trino, of Athena's engine family, over the emulated Glue and S3: for exact answers."""
