"""Alarms, topics, rules and budgets."""

from __future__ import annotations

import json
from typing import Any

from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, only
from local_stack.aws.cloudformation.resources.tagging import retag


class Alarm(ResourceType):
    """AWS::CloudWatch::Alarm."""

    type_name = "AWS::CloudWatch::Alarm"
    supported = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluationPeriods",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "TreatMissingData",
        }
    )

    def create(self, call: Call) -> None:
        """Put the alarm."""
        name = call.name("AlarmName", limit=255)
        call.client("cloudwatch").put_metric_alarm(**{**call.properties, "AlarmName": name})
        call.physical_id = name
        call.attributes = {"Arn": call.arn("cloudwatch", f"alarm:{name}")}

    def update(self, call: Call) -> None:
        """Put it again; tags are set apart, because PutMetricAlarm ignores them on an existing alarm."""
        definition = {k: v for k, v in call.properties.items() if k != "Tags"}
        call.client("cloudwatch").put_metric_alarm(**{**definition, "AlarmName": call.physical_id})
        retag(call, "cloudwatch", call.attributes["Arn"])

    def delete(self, call: Call) -> None:
        """Remove the alarm."""
        call.client("cloudwatch").delete_alarms(AlarmNames=[call.physical_id])


class Topic(ResourceType):
    """AWS::SNS::Topic without subscriptions of its own (they are resources)."""

    type_name = "AWS::SNS::Topic"
    supported = frozenset({"DisplayName", "KmsMasterKeyId", "Tags", "TopicName"})

    def create(self, call: Call) -> None:
        """Make the topic."""
        name = call.name("TopicName", limit=256)
        tags = call.properties.get("Tags", [])
        arn = call.client("sns").create_topic(Name=name, Attributes=self._attributes(call), Tags=tags)
        call.physical_id = arn["TopicArn"]
        call.attributes = {"TopicArn": call.physical_id, "TopicName": name}

    def update(self, call: Call) -> None:
        """Change name shown, key and tags."""
        for name in ("DisplayName", "KmsMasterKeyId"):
            if call.changed(name):
                call.client("sns").set_topic_attributes(
                    TopicArn=call.physical_id,
                    AttributeName=name,
                    AttributeValue=call.properties.get(name, ""),
                )
        retag(call, "sns", call.physical_id, arn_key="ResourceArn")

    def delete(self, call: Call) -> None:
        """Remove the topic and its subscriptions."""
        call.client("sns").delete_topic(TopicArn=call.physical_id)

    def _attributes(self, call: Call) -> dict[str, str]:
        return {k: call.properties[k] for k in ("DisplayName", "KmsMasterKeyId") if k in call.properties}


class TopicPolicy(ResourceType):
    """AWS::SNS::TopicPolicy."""

    type_name = "AWS::SNS::TopicPolicy"
    supported = frozenset({"PolicyDocument", "Topics"})

    def create(self, call: Call) -> None:
        """Set the policy of every topic."""
        call.physical_id = call.name("")
        self.update(call)

    def update(self, call: Call) -> None:
        """Set it again."""
        document = json.dumps(call.properties["PolicyDocument"])
        for topic in call.properties["Topics"]:
            call.client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=document
            )

    def delete(self, call: Call) -> None:
        """Leave the topics' policy: as on AWS, only the topic itself takes it along."""


class Subscription(ResourceType):
    """AWS::SNS::Subscription."""

    type_name = "AWS::SNS::Subscription"
    supported = frozenset({"Endpoint", "Protocol", "TopicArn"})

    def create(self, call: Call) -> None:
        """Subscribe the endpoint."""
        made = call.client("sns").subscribe(**call.properties, ReturnSubscriptionArn=True)
        call.physical_id = made["SubscriptionArn"]
        call.attributes = {"Arn": call.physical_id}

    def delete(self, call: Call) -> None:
        """Unsubscribe it."""
        ignoring(call.client("sns"), "NotFound")("unsubscribe", SubscriptionArn=call.physical_id)


class Rule(ResourceType):
    """AWS::Events::Rule."""

    type_name = "AWS::Events::Rule"
    supported = frozenset(
        {"Description", "EventPattern", "Name", "ScheduleExpression", "State", "Tags", "Targets"}
    )

    def create(self, call: Call) -> None:
        """Put the rule, then its targets."""
        name = call.name("Name")
        tags = {"Tags": call.properties["Tags"]} if "Tags" in call.properties else {}
        self._put(call, name, tags)
        call.physical_id = name
        call.attributes = {"Arn": call.arn("events", f"rule/{name}")}
        self._aim(call)

    def update(self, call: Call) -> None:
        """Change pattern, state, targets and tags."""
        self._put(call, call.physical_id, {})
        self._aim(call)
        retag(call, "events", call.attributes["Arn"])

    def delete(self, call: Call) -> None:
        """Take the targets away, then the rule."""
        gently = ignoring(call.client("events"), "ResourceNotFoundException")
        if ids := _target_ids(call.properties):
            gently("remove_targets", Rule=call.physical_id, Ids=sorted(ids))
        gently("delete_rule", Name=call.physical_id)

    def _put(self, call: Call, name: str, tags: dict[str, Any]) -> None:
        rule: dict[str, Any] = {
            k: v for k, v in call.properties.items() if k in ("Description", "ScheduleExpression", "State")
        }
        if "EventPattern" in call.properties:
            rule["EventPattern"] = json.dumps(call.properties["EventPattern"])
        call.client("events").put_rule(**rule, **tags, Name=name)

    def _aim(self, call: Call) -> None:
        events = call.client("events")
        targets = call.properties.get("Targets", [])
        for target in targets:
            only(target, ("Arn", "Id", "Input", "InputPath", "InputTransformer", "RoleArn"), "a target")
        if gone := sorted(_target_ids(call.previous) - _target_ids(call.properties)):
            events.remove_targets(Rule=call.physical_id, Ids=gone)
        if targets:
            events.put_targets(Rule=call.physical_id, Targets=targets)


def _target_ids(properties: dict[str, Any]) -> set[str]:
    return {target["Id"] for target in properties.get("Targets", ())}


class Budget(ResourceType):
    """AWS::Budgets::Budget."""

    type_name = "AWS::Budgets::Budget"
    supported = frozenset({"Budget", "NotificationsWithSubscribers"})

    def create(self, call: Call) -> None:
        """Make the budget."""
        budget = dict(call.properties["Budget"])
        budget.setdefault("BudgetName", call.name("", limit=100))
        limit = budget.get("BudgetLimit")
        if limit:
            budget["BudgetLimit"] = {**limit, "Amount": str(limit["Amount"])}
        call.client("budgets").create_budget(
            AccountId=call.account_id,
            Budget=budget,
            NotificationsWithSubscribers=call.properties.get("NotificationsWithSubscribers", []),
        )
        call.physical_id = budget["BudgetName"]

    def update(self, call: Call) -> None:
        """Make it again under its name."""
        self.delete(call)
        self.create(call)

    def delete(self, call: Call) -> None:
        """Remove it."""
        ignoring(call.client("budgets"), "NotFoundException")(
            "delete_budget", AccountId=call.account_id, BudgetName=call.physical_id
        )


TYPES: tuple[type[ResourceType], ...] = (Alarm, Topic, TopicPolicy, Subscription, Rule, Budget)
