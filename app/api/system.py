"""For the machines that watch: alive, ready part by part, counted. Nothing of anybody is in it."""

from collections.abc import Iterator

from flask import Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app import failures, metrics
from app.api import schemas
from app.api.contract import REQUEST_ID, Answered, Given, Section
from app.services import stats

section = Section("System", "For the machines that watch over it.")


@section.operation("GET", "/healthz", answer=Answered(200, schemas.Alive, description="It lives."))
def tell_alive() -> Given:
    """Alive

    This process answers; it asks nobody else.
    """
    return {"status": "ok"}


@section.operation(
    "GET",
    "/readyz",
    answer=Answered(
        200, schemas.Readiness, description="Ready, or degraded: it works without some part."
    ),
    documents={
        "responses": {
            503: {
                "description": "Unready.",
                "headers": {"X-Request-ID": {"$ref": REQUEST_ID}},
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Readiness"}}
                },
            }
        }
    },
)
def tell_ready() -> Response:
    """Ready

    Part by part: database, broker, worker, bot, Telegram, delivery. 503 without the database or
    with a rejected bot token, in the same shape.
    """
    state = stats.readiness()
    response = jsonify(schemas.Readiness().dump(state))
    response.status_code = 503 if state.status == "unready" else 200
    return response


@section.operation(
    "GET",
    "/metrics",
    answer=Answered(200, {"type": "string"}, "text/plain", description="Prometheus's text format."),
)
def tell_metrics() -> Response:
    """Metrics

    Counters of what happened, over all processes that share a folder for them, and gauges of what
    waits, as the database knows it now; the gauges are missing while it is away.
    """
    counted = generate_latest(metrics.registry())
    return Response(counted + generate_latest(_waiting), content_type=CONTENT_TYPE_LATEST)


class _Waiting(Collector):
    """What waits now."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            now = stats.gauges()
        except Exception as error:
            if failures.is_database_away(error):
                return
            raise
        waiting = GaugeMetricFamily(
            "gonets_messages_waiting", "Messages that are not settled", labels=["status"]
        )
        for status, count in now.waiting.items():
            waiting.add_metric([status], count)
        yield waiting
        yield GaugeMetricFamily(
            "gonets_due_lanes", "Accounts with a message that could be sent now", now.due_lanes
        )
        yield GaugeMetricFamily(
            "gonets_oldest_due_age_seconds",
            "How long the oldest of them has been due",
            now.oldest_due_age,
        )


_waiting = CollectorRegistry()
_waiting.register(_Waiting())
