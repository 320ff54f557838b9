//! To the collector. What it does not take is tried again a few times, and then lost.

use std::str::FromStr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::OtlpSettings;
use crate::http;

/// The collector has so long to take something.
const SEND_MAX: Duration = Duration::from_secs(5);
/// After a failure it is tried again after these times.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(1000)];

pub(super) struct Collector {
    to: To,
    /// It did not take what was sent last.
    failed: bool,
}

enum To {
    Grpc(Channel, Vec<(AsciiMetadataKey, AsciiMetadataValue)>),
    Http(String, Vec<(String, String)>),
}

/// What is sent.
pub(super) enum Payload {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl To {
    async fn send(&self, message: &Payload) -> Result<(), String> {
        match self {
            Self::Http(at, headers) => {
                let (kind, body) = match message {
                    Payload::Traces(message) => ("traces", message.encode_to_vec()),
                    Payload::Metrics(message) => ("metrics", message.encode_to_vec()),
                    Payload::Logs(message) => ("logs", message.encode_to_vec()),
                };
                http::post(&format!("{at}/v1/{kind}"), "application/x-protobuf", headers, body)
                    .await
                    .map(drop)
            }
            Self::Grpc(channel, _) => {
                let channel = channel.clone();
                let sent = match message {
                    Payload::Traces(message) => {
                        TraceServiceClient::new(channel).export(self.request(message.clone())).await.map(drop)
                    }
                    Payload::Metrics(message) => MetricsServiceClient::new(channel)
                        .export(self.request(message.clone()))
                        .await
                        .map(drop),
                    Payload::Logs(message) => {
                        LogsServiceClient::new(channel).export(self.request(message.clone())).await.map(drop)
                    }
                };
                sent.map_err(|status| status.to_string())
            }
        }
    }

    /// A request with what is sent along.
    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Self::Grpc(_, headers) = self {
            for (name, value) in headers {
                request.metadata_mut().insert(name.clone(), value.clone());
            }
        }
        request
    }
}

impl Collector {
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, String> {
        let endpoint = settings.endpoint.trim_end_matches('/').to_owned();
        let headers = settings.headers.iter();
        let to = match settings.http {
            true => {
                let headers = headers.map(|(name, value)| (name.clone(), value.expose().clone()));
                To::Http(endpoint, headers.collect())
            }
            false => {
                let wrong = |error: tonic::transport::Error| format!("otlp.endpoint: {error}");
                let mut channel = Endpoint::from_shared(endpoint.clone()).map_err(wrong)?.timeout(SEND_MAX);
                if endpoint.starts_with("https:") {
                    channel =
                        channel.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(wrong)?;
                }
                let headers = headers.map(|(name, value)| {
                    let name = AsciiMetadataKey::from_str(&name.to_lowercase()).ok()?;
                    Some((name, AsciiMetadataValue::try_from(value.expose().as_str()).ok()?))
                });
                let headers: Option<Vec<_>> = headers.collect();
                let headers = headers.ok_or("otlp.headers: a name or value that gRPC does not take")?;
                To::Grpc(channel.connect_lazy(), headers)
            }
        };
        Ok(Self { to, failed: false })
    }

    /// Sends something; what is not taken is tried again.
    pub(super) async fn send(&mut self, message: Payload) {
        let mut sent = self.to.send(&message).await;
        for pause in AGAIN {
            if sent.is_ok() {
                break;
            }
            tokio::time::sleep(pause).await;
            sent = self.to.send(&message).await;
        }
        self.note(sent);
    }

    /// Says so once when the collector stops taking things, and when it takes them again.
    fn note(&mut self, sent: Result<(), String>) {
        match sent {
            Ok(()) if self.failed => tracing::info!("the collector takes telemetry again"),
            Err(why) if !self.failed => tracing::warn!(why, "the collector takes no telemetry; it is lost"),
            _ => {
                return;
            }
        }
        self.failed = !self.failed;
    }
}
