"""IAM as AWS enforces it: the deployed policies decide what each component's role may do.

``guard`` judges every request of a role's session before any service sees it; data planes, which work
without requests, ask ``check`` for the role that they act in. An access is an action on a resource's ARN:
``accesses`` and ``s3_accesses`` say which ones a request needs. ``policies`` evaluates the documents, and
``records`` keeps what was asked.

Not emulated: permission boundaries, session policies, service control policies, resource policies other
than those of buckets (which S3 itself applies), and what IAM users may do: their keys are an
administrator's.
"""

from __future__ import annotations

from local_stack.aws.context import ServerContext
from local_stack.aws.iam import records


def install(context: ServerContext) -> None:
    """Begin to record."""
    records.install(context.state_dir)
