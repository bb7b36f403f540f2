"""A protocol that somebody else brings: CSV in, CSV out, errors as plain text."""

from __future__ import annotations

import csv
import io

from retrain.serving.invocation import Invocation, Refused, Reply, row_ids
from retrain.serving.protocols.base import Describe, Endpoint, Endpoints, HttpAnswer, HttpRequest, Predict, Protocol

PATH = "/pipelines/{name}/csv"


class Csv(Protocol):
    """The first line names the columns; it also says by what they are separated, and the answer is separated alike."""

    def routes(self) -> tuple[Predict | Describe, ...]:
        return Predict("csv", PATH), Describe("csv", PATH, self._header)

    def read(self, request: HttpRequest, endpoint: Endpoint) -> Invocation:
        if request.content_type != "text/csv":
            raise Refused(f"{request.content_type} is not text/csv.", status=415, do="send text/csv.")
        lines = request.body.decode().splitlines()
        separator = ";" if lines and ";" in lines[0] else ","
        rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(lines, delimiter=separator)]
        if not rows or not set(rows[0]) & set(endpoint.signature.inputs):
            raise Refused("There are no rows.", do=f"name columns: {', '.join(endpoint.signature.inputs)}.")
        return Invocation(rows, row_ids(request.request_id, len(rows)), wanted=separator)

    def write(self, invocation: Invocation, reply: Reply) -> HttpAnswer:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=invocation.wanted, lineterminator="\n")
        writer.writerow(["request_id", "prediction"])
        writer.writerows([name, output["prediction"]] for name, output in zip(reply.ids, reply.outputs, strict=True))
        return HttpAnswer(text.getvalue().encode(), "text/csv", {"X-Rows": str(len(reply.ids))})

    def refuse(self, refused: Refused) -> HttpAnswer:
        return HttpAnswer(f"{refused.what} {refused.do}\n".encode(), "text/plain")

    def _header(self, request: HttpRequest, served: Endpoints) -> HttpAnswer:
        endpoint = served[request.path["name"]]
        if endpoint is None:
            raise Refused("Nothing is served yet.", status=503, retry_after=7, do="Come back.")
        return HttpAnswer(",".join(endpoint.signature.inputs).encode(), "text/csv")


class Wordless(Csv):
    """It cannot word a refusal."""

    def refuse(self, refused: Refused) -> HttpAnswer:
        raise RuntimeError("no words")


class Greedy(Csv):
    """It wants what is MLflow's."""

    def routes(self) -> tuple[Predict | Describe, ...]:
        return (Predict("csv", "/pipelines/{pipeline}/invocations"),)


class Bold(Csv):
    """It wants what is the gateway's own."""

    def routes(self) -> tuple[Predict | Describe, ...]:
        return (Describe("csv", "/pipelines/csv", self._header),)


class Half(Protocol):
    """It cannot answer."""

    def routes(self) -> tuple[Predict | Describe, ...]:
        return ()
