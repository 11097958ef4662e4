"""The outer edge of the jobs: command line, run, report."""
