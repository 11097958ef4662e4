"""Settings, names, table specifications, jobs and cluster: what every room agrees on.

A leaf: standard library only, imports nothing of ours but itself, reads no file and no
environment. It travels to the EMR cluster inside the job bundle.
"""
