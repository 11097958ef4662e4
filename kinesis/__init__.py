"""Sending sensor events to the stream."""
