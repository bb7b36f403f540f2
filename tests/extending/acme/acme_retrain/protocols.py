"""Acme's protocols."""

from __future__ import annotations

import orjson

from retrain.serving.protocols.base import (
    Endpoint,
    HttpAnswer,
    HttpRequest,
    Invocation,
    Predict,
    Protocol,
    Refused,
    Reply,
    row_ids,
)

TYPE = "application/x-ndjson"


class Lines(Protocol):
    """A row a line, as JSON; an answer a line, in the same order."""

    def routes(self) -> tuple[Predict, ...]:
        return (Predict("lines", "/pipelines/{name}/lines"),)

    def read(self, request: HttpRequest, endpoint: Endpoint) -> Invocation:
        if request.content_type != TYPE:
            raise Refused(f"The content type is {request.content_type}.", status=415, do=f"send {TYPE}.")
        try:
            rows = [orjson.loads(line) for line in request.body.splitlines()]
        except orjson.JSONDecodeError as error:
            raise Refused(f"A line is not JSON: {error}.", do="send one object a line.") from None
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise Refused("There are no rows.", do=f"send objects with {', '.join(endpoint.signature.inputs)}.")
        return Invocation(rows, row_ids(request.request_id, len(rows)))

    def write(self, invocation: Invocation, reply: Reply) -> HttpAnswer:
        answers = zip(reply.ids, reply.outputs, strict=True)
        return HttpAnswer(b"\n".join(orjson.dumps({"id": name, **output}) for name, output in answers), TYPE)

    def refuse(self, refused: Refused) -> HttpAnswer:
        return HttpAnswer(refused.to_json(), TYPE)
