"""Deploying, planning and removing stacks as a person would."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from config.project_config import Settings
from config.stacks import BUCKETS, stacks_of
from ops.deploy import deploy_all, main
from ops.deployment import planning
from ops.deployment.deployer import Deployer
from ops.deployment.errors import DeployError
from ops.deployment.planning import StackPlan
from tests.support.accounts import Account

pytestmark = pytest.mark.aws

Command = Callable[..., subprocess.CompletedProcess[str]]


def stack_states(account: Account) -> dict[str, str]:
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in stacks}


def of_the_region() -> dict[str, str]:
    """Every stack that dev has in its own region, complete."""
    return {
        spec.stack_name("dev"): "CREATE_COMPLETE"
        for spec in stacks_of("dev")
        if spec.region is None and not spec.optional
    }


def bucket_names(account: Account) -> list[str]:
    return [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]


def outputs(account: Account, stack: str) -> dict[str, str]:
    described = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def apply(account: Account, *only: str, environment: str = "dev", **parameters: str) -> list[StackPlan]:
    """Deploy some stacks, unasked and silent."""
    deployer = Deployer(account.session(), environment, Console(quiet=True))
    return deployer.apply(only, parameters, lambda _: True)


@pytest.fixture
def changed_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates that a test may change."""
    for path in planning.TEMPLATES.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(planning, "TEMPLATES", tmp_path)
    return tmp_path


def test_a_whole_life_by_command_line(deploy: Command, account: Account) -> None:
    planned = deploy("plan")
    assert planned.returncode == 0, planned.stderr
    assert "+ BronzeBucket AWS::S3::Bucket" in planned.stdout
    assert "+ DeliveryStream AWS::KinesisFirehose::DeliveryStream" in planned.stdout
    assert stack_states(account) == {}

    applied = deploy("apply", "--yes", "--parameter", "BufferIntervalSeconds=5")
    assert applied.returncode == 0, applied.stderr
    assert stack_states(account) == of_the_region()
    assert "clickstream-etl-dev-streaming: CREATE_COMPLETE" in applied.stdout

    again = deploy("apply", "--yes")
    assert again.returncode == 0
    assert f"Nothing to do: {len(of_the_region()) + 1} stacks are as the templates say." in again.stdout

    preview = deploy("plan", "--only", "streaming", "--parameter", "BufferIntervalSeconds=60")
    assert "~ DeliveryStream" in preview.stdout
    assert "BufferingHints/IntervalInSeconds: 5 → 60" in preview.stdout
    assert "Plan: 0 to add, 1 to change, 0 to replace, 0 to remove." in preview.stdout

    status = deploy("status")
    bronze = f"clickstream-etl-dev-bronze-{account.account_id}-eu-north-1"
    assert f"BronzeBucket = {bronze}" in status.stdout

    account.client("s3").put_object(Bucket=bronze, Key="clickstream/x", Body=b"data")
    refused = deploy("destroy", "--yes")
    assert refused.returncode == 1
    assert f"holds data: {bronze}: 1 objects" in refused.stdout
    assert "Nothing was removed: buckets hold data." in refused.stderr
    assert stack_states(account) == of_the_region()

    removed = deploy("destroy", "--yes", "--delete-data")
    assert removed.returncode == 0, removed.stderr
    assert stack_states(account) == {}
    assert bucket_names(account) == []
    assert "Nothing to remove" in deploy("destroy", "--yes").stdout


def test_removing_prod_leaves_nothing_though_access_logs_keep_coming(
    deploy: Command, account: Account
) -> None:
    apply(account, "buckets", environment="prod")
    s3, bucket = account.client("s3"), outputs(account, "clickstream-etl-prod")["BronzeBucket"]
    for number in range(1_001):  # more than S3 lists or deletes at once
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=b"")
    removed = deploy("destroy", "--environment", "prod", "--yes", "--delete-data")
    assert removed.returncode == 0, removed.stderr
    assert (stack_states(account), bucket_names(account)) == ({}, [])


def test_the_bucket_stack_of_the_plain_cli_is_taken_over(account: Account) -> None:
    account.client("cloudformation").create_stack(
        StackName="clickstream-etl-dev",
        TemplateBody=(planning.TEMPLATES / BUCKETS.template).read_text(),
    )
    before = bucket_names(account)
    apply(account, "buckets")
    assert stack_states(account) == {"clickstream-etl-dev": "UPDATE_COMPLETE"}  # it has tags now
    assert bucket_names(account) == before


def test_changing_the_retention_is_shown_day_by_day_and_keeps_the_data(
    account: Account, changed_templates: Path
) -> None:
    apply(account, "buckets")
    s3, bucket = account.client("s3"), outputs(account, "clickstream-etl-dev")["BronzeBucket"]
    s3.put_object(Bucket=bucket, Key="clickstream/x", Body=b"data")
    template = changed_templates / BUCKETS.template
    template.write_text(template.read_text().replace("DataRetentionDays: 90", "DataRetentionDays: 30"))
    console = Console(record=True, width=200, file=StringIO())
    (plan,) = Deployer(account.session(), "dev", console).plan(["buckets"], {})
    shown = console.export_text()
    assert plan.kind == "update"
    assert "LifecycleConfiguration/Rules/0/ExpirationInDays: 90 → 30" in shown
    assert "Plan: 0 to add, 1 to change, 0 to replace, 0 to remove." in shown
    apply(account, "buckets")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule} == {30}
    assert s3.get_object(Bucket=bucket, Key="clickstream/x")["Body"].read() == b"data"


def test_a_given_parameter_is_kept_by_later_deployments(account: Account) -> None:
    concerns = ("buckets", "catalog", "streaming")
    apply(account, *concerns, ShardCount="3")
    apply(account, *concerns, BufferIntervalSeconds="5")
    cloudformation = account.client("cloudformation")
    described = cloudformation.describe_stacks(StackName="clickstream-etl-dev-streaming")["Stacks"][0]
    values = {p["ParameterKey"]: p["ParameterValue"] for p in described["Parameters"]}
    assert (values["ShardCount"], values["BufferIntervalSeconds"]) == ("3", "5")


def test_the_network_is_made_only_when_asked_and_then_used_and_kept(account: Account) -> None:
    settings = deploy_all(account.session(), "dev")
    assert "EMR_SUBNET_ID" not in settings
    apply(account, "network")
    (subnet,) = account.client("ec2").describe_subnets(
        Filters=[{"Name": "tag:Name", "Values": ["clickstream-etl-private"]}]
    )["Subnets"]
    settings = deploy_all(account.session(), "dev")
    assert settings["EMR_SUBNET_ID"] == subnet["SubnetId"]
    assert Settings.from_mapping(settings).emr_security_groups.count("sg-") == 3
    cloudformation = account.client("cloudformation")
    described = cloudformation.describe_stacks(StackName="clickstream-etl-dev-emr-cluster")["Stacks"][0]
    values = {p["ParameterKey"]: p["ParameterValue"] for p in described["Parameters"]}
    assert values["SubnetId"] == subnet["SubnetId"]
    assert values["SecurityGroups"] == settings["EMR_SECURITY_GROUPS"]


def test_a_stack_that_the_environment_does_not_have_is_refused(account: Account) -> None:
    with pytest.raises(DeployError, match=r"dev has no stack checkpoints\."):
        apply(account, "checkpoints")


def test_a_parameter_of_no_template_is_refused_before_anything_happens(account: Account) -> None:
    with pytest.raises(DeployError, match="No selected template has the parameter BufferSeconds"):
        deploy_all(account.session(), "dev", {"BufferSeconds": "5"})
    with pytest.raises(DeployError, match="use --environment"):
        deploy_all(account.session(), "dev", {"Environment": "prod"})
    assert stack_states(account) == {}


def test_a_parameter_out_of_range_is_refused_before_anything_happens(account: Account) -> None:
    with pytest.raises(DeployError, match=r"BufferSizeMB.*not less than 64"):
        apply(account, "buckets", "catalog", "streaming", BufferSizeMB="1")
    assert stack_states(account) == {}


def test_a_missing_output_names_the_stack_to_deploy(account: Account) -> None:
    with pytest.raises(DeployError, match=r"needs the output BronzeBucket.*--only buckets"):
        apply(account, "streaming")
    assert stack_states(account) == {}


def test_settings_of_a_half_deployed_environment_are_refused(account: Account) -> None:
    apply(account, "buckets")
    deployer = Deployer(account.session(), "dev", Console(quiet=True))
    with pytest.raises(DeployError, match=r"GLUE_DATABASE.*python -m ops.deploy apply --environment dev"):
        deployer.settings()


def test_a_taken_bucket_name_is_explained_and_the_next_try_succeeds(account: Account) -> None:
    s3 = account.client("s3")
    name = f"clickstream-etl-dev-scripts-{account.account_id}-eu-north-1"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    with pytest.raises(DeployError, match=rf"{name} already exists[\s\S]*A bucket of that name"):
        apply(account, "buckets")
    assert stack_states(account) == {"clickstream-etl-dev": "ROLLBACK_COMPLETE"}
    assert bucket_names(account) == [name]
    s3.delete_bucket(Bucket=name)
    apply(account, "buckets")
    assert outputs(account, "clickstream-etl-dev")["ScriptsBucket"] == name


def test_the_remains_of_a_failed_creation_are_announced(account: Account) -> None:
    cloudformation = account.client("cloudformation")
    broken = "Resources: {G: {Type: 'AWS::Logs::LogGroup', Properties: {RetentionInDays: 8}}}"
    cloudformation.create_stack(StackName="clickstream-etl-dev", TemplateBody=broken)
    assert stack_states(account) == {"clickstream-etl-dev": "ROLLBACK_COMPLETE"}
    (plan,) = Deployer(account.session(), "dev", Console(quiet=True)).plan(["buckets"], {})
    assert plan.kind == "recreate"
    assert stack_states(account) == {"clickstream-etl-dev": "ROLLBACK_COMPLETE"}


def test_of_two_deployments_at_once_the_second_is_told(account: Account) -> None:
    """The other deployment executes its change set while ours waits for an answer."""
    first = Deployer(account.session(), "dev", Console(quiet=True))
    second = Deployer(account.session(), "dev", Console(quiet=True))

    def meanwhile(_question: str) -> bool:
        first.apply(["buckets"], {}, lambda _: True)
        return True

    with pytest.raises(DeployError, match="another deployment"):
        second.apply(["buckets"], {}, meanwhile)
    assert stack_states(account) == {"clickstream-etl-dev": "CREATE_COMPLETE"}
    assert second.apply(["buckets"], {}, lambda _: True) == []


def test_a_stack_that_is_being_changed_is_left_alone(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(account, "buckets")
    deployer = Deployer(account.session(), "dev", Console(quiet=True))
    cloudformation = deployer._client(BUCKETS)
    real: Any = cloudformation.describe_stacks

    def busy(**arguments: Any) -> Any:
        answer = real(**arguments)
        answer["Stacks"][0]["StackStatus"] = "UPDATE_IN_PROGRESS"
        return answer

    monkeypatch.setattr(cloudformation, "describe_stacks", busy)
    for attempt in (
        lambda: deployer.apply(None, {}, lambda _: True),
        lambda: deployer.destroy(None, lambda _: True, delete_data=True),
    ):
        with pytest.raises(DeployError, match="is in UPDATE_IN_PROGRESS: another deployment is under way"):
            attempt()


def test_saying_no_leaves_no_trace(account: Account) -> None:
    deployer = Deployer(account.session(), "dev", Console(quiet=True))
    with pytest.raises(DeployError, match=r"Nothing was deployed\."):
        deployer.apply(None, {}, lambda _: False)
    assert stack_states(account) == {}


def test_without_a_terminal_nothing_is_asked_and_nothing_done(deploy: Command, account: Account) -> None:
    asked = deploy("apply")
    assert asked.returncode == 1
    assert "give --yes" in asked.stderr
    assert stack_states(account) == {}


def test_a_wrong_region_is_refused_with_a_guess(deploy: Command) -> None:
    wrong = deploy("plan", "--region", "eu-nort-1")
    assert wrong.returncode == 1
    assert "There is no AWS region 'eu-nort-1'. Did you mean eu-north-1?" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "--environment", "test"], "invalid choice: 'test'"),
        (["plan", "--only", "everything"], "invalid choice: 'everything'"),
        (["apply", "--parameter", "novalue"], "'novalue' is not Key=Value"),
        ([], "required: command"),
    ],
)
def test_wrong_arguments_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
