from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.emr import EmrClusters
from tests.support.emulated_aws import EmulatedAws


@pytest.fixture(scope="module")
def clusters(emulated_aws: EmulatedAws, request: pytest.FixtureRequest) -> Iterator[EmrClusters]:
    """Clusters of this module's own, terminated afterwards."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    clusters = EmrClusters(emulated_aws, f"emr-{name}-logs")
    yield clusters
    clusters.terminate_all()


@pytest.fixture(scope="module")
def concurrent_cluster(clusters: EmrClusters) -> str:
    """A cluster that runs two steps at once."""
    return clusters.start_and_wait(StepConcurrencyLevel=2)


@pytest.fixture(scope="module")
def cluster(clusters: EmrClusters) -> str:
    """A cluster that runs one step after the other."""
    return clusters.start_and_wait()
