"""CloudFormation that creates what the templates declare, and refuses what it would have to ignore.

moto's own engine skips unknown resource types and drops properties while the stack still says
CREATE_COMPLETE, so it is replaced: templates are checked against AWS's resource schemas, resources
are made through the emulated services' own APIs, and a failure rolls the stack back.
"""

from __future__ import annotations

from local_stack.aws.cloudformation import bucket_policy, managed_policies
from local_stack.aws.cloudformation.engine import Engine
from local_stack.aws.context import ServerContext, Worker


def install(context: ServerContext) -> Worker:
    """Put this engine behind the CloudFormation API of the process."""
    bucket_policy.install()
    managed_policies.install()
    engine = Engine(context)
    engine.install()
    return engine
