# Parses standard input with the strict parser of Prometheus's Python client, and prints the samples as JSON: [[name, labels, value]].
import json
import sys

if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(sys.stdin.read()))
samples = [[sample.name, sample.labels, sample.value] for family in families for sample in family.samples]
json.dump(samples, sys.stdout)
