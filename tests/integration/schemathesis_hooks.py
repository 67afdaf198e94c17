"""For schemathesis: how lists of jobs are written, and patience for long polls."""
import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    del context
    items = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(item) for item in items).encode()


@schemathesis.hook
def map_query(context, query):
    """Long polls are short here: what is tested is their answers."""
    del context
    if query and isinstance(query.get("wait"), int) and 1 < query["wait"] <= 60:
        return dict(query, wait=1)
    return query
