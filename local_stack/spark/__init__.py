"""Spark on this machine as an EMR cluster has it: jars, Java, settings, and a fast start."""
