"""What people run by hand on a live platform: deploy, reconcile, report. Nobody imports this room."""
