//! Logs on standard error: for people on a terminal, JSON lines elsewhere; and
//! spans to a collector, where one is configured.
//!
//! A JSON line carries the fields of all spans around it at its top level
//! (`request`, `unit`, `plugin`, `version`), so that one request's lines are
//! found by one key. Numbers are numbers.

use crate::config::{Log, LogFormat};
use crate::exit::{Exit, Failure};
use hadron_telemetry::Exporter;
use serde_json::{Map, Value};
use std::fmt;
use std::io::{IsTerminal, Stderr, Write};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The log of this process.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Starts it.
    pub(crate) fn start(log: &Log, exporter: Option<&Exporter>) -> Result<Logging, Failure> {
        let (filter, handle) = reload::Layer::new(filter(&log.level).map_err(wrong)?);
        let terminal = std::io::stderr().is_terminal();
        let human = match log.format {
            LogFormat::Auto => terminal,
            LogFormat::Human => true,
            LogFormat::Json => false,
        };
        let lines: Box<dyn Layer<Registry> + Send + Sync> = if human {
            let lines = tracing_subscriber::fmt::layer().compact();
            Box::new(lines.with_ansi(terminal).with_writer(std::io::stderr))
        } else {
            Box::new(JsonLines(std::io::stderr as fn() -> Stderr))
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(exporter.map(Exporter::layer))
            .try_init()
            .map_err(|e| Failure::failed(format!("cannot start logging: {e}")))?;
        Ok(Logging { filter: handle })
    }

    /// Logs that much from now on; the error is a sentence.
    pub(crate) fn set_level(&self, level: &str) -> Result<(), String> {
        self.filter.reload(filter(level)?).map_err(|e| format!("log.level: {e}"))
    }
}

/// What `log.level` says; the error is a sentence.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(level).map_err(|e| format!("log.level '{level}': {e}"))
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Configuration, message)
}

/// One flat JSON object a line.
struct JsonLines<W>(W);

/// A span's fields.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut time = String::new();
        // Without a clock there is still a line.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let mut line = Map::new();
        line.insert("time".into(), time.into());
        line.insert("level".into(), event.metadata().level().as_str().to_lowercase().into());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(fields.0.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            }
        }
        // Where the line was written, whatever the spans around it call so.
        line.insert("target".into(), event.metadata().target().into());
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.extend(fields.0.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // Nobody can be told that the log cannot be written.
        let _ = self.0.make_writer().write_all(text.as_bytes());
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        // Meant for the collector of traces only.
        if field.name().starts_with("otel.") {
            return;
        }
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_has_the_fields_of_all_spans_around_it() {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::registry().with(JsonLines(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let request = tracing::info_span!(
                "request",
                request = "req-1",
                unit = tracing::field::Empty,
                otel.kind = "server"
            );
            let _request = request.enter();
            request.record("unit", "u-1");
            let _outer = tracing::info_span!("call", plugin = "ml2", version = "0.1").entered();
            let _plugin = tracing::info_span!("call", plugin = "acme", version = "1.0").entered();
            tracing::warn!(attempt = 2, ms = 0.5, "refused");
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        for (key, value) in [
            ("request", "req-1"),
            ("unit", "u-1"),
            ("plugin", "acme"),
            ("version", "1.0"),
            ("message", "refused"),
        ] {
            assert_eq!(line[key], value, "{text}");
        }
        assert_eq!(line["level"], "warn");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["ms"], 0.5);
        assert!(line.get("otel.kind").is_none(), "{text}");
        assert_eq!(text.matches("plugin").count(), 1, "{text}");
    }
}
