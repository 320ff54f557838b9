"""Takes OTLP by gRPC and by HTTP, with the stubs that OpenTelemetry publishes, and writes each thing received as a line of JSON to a file.

    otlp_receiver.py FILE GRPC_PORT HTTP_PORT
"""

import concurrent.futures
import http.server
import json
import os
import sys
import threading

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

out = open(sys.argv[1], "a", buffering=1)
lock = threading.Lock()


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def put(kind, by, record):
    with lock:
        out.write(json.dumps({"kind": kind, "by": by, **record}) + "\n")
        os.fsync(out.fileno())


def traces(request, by):
    for resource in request.resource_spans:
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            assert len(span.trace_id) == 16 and len(span.span_id) == 8
            put("span", by, {
                "name": span.name, "trace": span.trace_id.hex(), "parent": span.parent_span_id.hex(), "status": span.status.code,
                "nanos": span.end_time_unix_nano - span.start_time_unix_nano, "attributes": attributes(span.attributes),
                "resource": attributes(resource.resource.attributes),
            })


def metrics(request, by):
    for resource in request.resource_metrics:
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            data = metric.WhichOneof("data")
            points = getattr(metric, data).data_points
            total = sum(point.count if data == "histogram" else point.as_double for point in points)
            if data == "histogram":
                assert all(len(point.bucket_counts) == len(point.explicit_bounds) + 1 for point in points)
                assert all(sum(point.bucket_counts) == point.count for point in points)
            put("metric", by, {"name": metric.name, "data": data, "total": total})


def logs(request, by):
    for resource in request.resource_logs:
        for record in (record for scope in resource.scope_logs for record in scope.log_records):
            put("log", by, {"name": record.event_name, "attributes": attributes(record.attributes)})


SERVICES = {
    "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse, traces),
    "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse, metrics),
    "/v1/logs": (logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse, logs),
}


class Http(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request, response, take = SERVICES[self.path]
        assert self.headers["content-type"] == "application/x-protobuf", self.headers
        assert self.headers["x-tenant"] == "sesame", self.headers
        take(request.FromString(self.rfile.read(int(self.headers["content-length"]))), "http")
        body = response().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def service(base, take, response):
    def export(self, request, context):
        assert ("x-tenant", "sesame") in context.invocation_metadata()
        take(request, "grpc")
        return response()

    return type("Service", (base,), {"Export": export})()


server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
    service(trace_service_pb2_grpc.TraceServiceServicer, traces, trace_service_pb2.ExportTraceServiceResponse), server)
metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
    service(metrics_service_pb2_grpc.MetricsServiceServicer, metrics, metrics_service_pb2.ExportMetricsServiceResponse), server)
logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
    service(logs_service_pb2_grpc.LogsServiceServicer, logs, logs_service_pb2.ExportLogsServiceResponse), server)
server.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
server.start()
put("ready", "", {})
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), Http).serve_forever()
