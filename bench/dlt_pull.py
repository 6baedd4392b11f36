"""The same rows with dlt's REST source, into PostgreSQL. Runs in dlt's own environment.

Takes one line of JSON on its input.
"""

import json
import sys

import dlt
from dlt.sources.rest_api import rest_api_source

order = json.loads(sys.stdin.readline())
source = rest_api_source(
    {
        "client": {
            "base_url": f"{order['url']}/api/resource/",
            "headers": {"Authorization": "token bench:bench"},
            "paginator": {
                "type": "offset",
                "limit": order["page"],
                "offset_param": "limit_start",
                "limit_param": "limit_page_length",
                "total_path": None,
            },
        },
        "resources": [
            {
                "name": "item",
                "primary_key": "name",
                "write_disposition": "append",
                "endpoint": {
                    "path": order["doctype"],
                    "params": {"fields": '["*"]', "order_by": "modified asc"},
                    "data_selector": "data",
                },
            }
        ],
    }
)
pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=order["folder"],
    destination=dlt.destinations.postgres(order["database"]),
    dataset_name=order["schema"],
)
pipeline.run(source).raise_on_failed_jobs()
