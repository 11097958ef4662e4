"""What a cluster costs, estimated: list prices of machines, EMR's own included.

US dollars an hour, on demand; look them up anew before you rely on them:
https://aws.amazon.com/ec2/pricing/on-demand/ and https://aws.amazon.com/emr/pricing/. EC2's part is that of
eu-north-1; EMR's is a quarter of EC2's in us-east-1, and may be a few per cent more elsewhere. Other regions
and discounts differ. Disks, spot machines that joined under load, S3 requests and traffic are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.cluster import CORE_INSTANCE_TYPE, PRIMARY_INSTANCE_TYPE


@dataclass(frozen=True)
class MachinePrice:
    """Dollars an hour of one machine: EC2's part, and EMR's on top."""

    ec2: float
    emr: float

    @property
    def total(self) -> float:
        """Both."""
        return self.ec2 + self.emr


PRICES: dict[str, MachinePrice] = {
    "m6g.xlarge": MachinePrice(ec2=0.164, emr=0.0385),
}

MINIMUM_SECONDS = 60.0
"""EMR bills by the second, and at least so many."""


@dataclass(frozen=True)
class ClusterUse:
    """What a cluster used: hours of all its machines together, and their price in dollars."""

    machine_hours: float
    usd: float


def cluster_use(core_nodes: int, seconds: float) -> ClusterUse:
    """The use of a cluster of one primary and ``core_nodes`` machines that has been there for so long.

    >>> cluster_use(2, 3600)
    ClusterUse(machine_hours=3.0, usd=0.6075)
    """
    hours = max(seconds, MINIMUM_SECONDS) / 3600
    dollars = PRICES[PRIMARY_INSTANCE_TYPE].total + core_nodes * PRICES[CORE_INSTANCE_TYPE].total
    return ClusterUse(machine_hours=round((1 + core_nodes) * hours, 4), usd=round(dollars * hours, 4))
