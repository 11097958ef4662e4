"""What the DAGs share. No DAG lives here, see ../.airflowignore; nothing here imports pyspark or emr_jobs.

``bundle``, ``clusters``, ``steps`` and ``step_logs`` are plain boto3, so that emr_boto_helper.py uses
them too; ``operators`` and ``triggers`` fit them into the Amazon provider's operators.
"""
