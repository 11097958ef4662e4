"""Spark jobs. One entry module per EMR step at the top; transforms and lake access below."""
