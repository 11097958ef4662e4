"""EMR on one machine: moto keeps the clusters, a runner really runs their bootstrap actions and steps.

A step's command runs in an empty folder with the environment of a cluster's primary node and
nothing of ours: see ``node``. ``guard`` sees to it that nothing survives the cluster or this process.
"""

from __future__ import annotations

from local_stack.aws.context import ServerContext, Worker
from local_stack.aws.emr import api
from local_stack.aws.emr.runner import ClusterRunner


def install(context: ServerContext) -> Worker:
    """Mend moto's EMR and return the runner."""
    api.install()
    return ClusterRunner(context)
