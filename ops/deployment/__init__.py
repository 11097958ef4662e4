"""Deploying the stacks with change sets: to AWS, or to whatever AWS_ENDPOINT_URL leads to."""
