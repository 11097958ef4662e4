"""Reading and writing the lake: Spark session, Iceberg tables, publishing."""
