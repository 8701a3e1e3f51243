"""Checks the files for Databricks, EMR and Kubernetes in deploy/, without a cloud. deploy/check runs it in an environment of its own.

The bundle is validated by the schema of Databricks' CLI and by databricks-bundles; EMR's scripts run, through the AWS CLI, against moto on
loopback, which is then asked what it was told; the template goes to cfn-lint; Kubernetes' files to Kubernetes' and both operators' schemas.
"""
