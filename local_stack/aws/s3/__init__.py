"""S3: moto's, made right for many clients at once, with range reads that do not copy the object."""

from __future__ import annotations

from local_stack.aws.context import ServerContext
from local_stack.aws.s3 import keys, listing, objects, operations


def install(_context: ServerContext) -> None:
    """Mend moto's S3."""
    keys.install()
    objects.install()
    listing.install()
    operations.install()
