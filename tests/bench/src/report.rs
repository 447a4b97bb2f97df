//! The results: a table for people, JSON for machines, targets for both.

use crate::cases::Case;
use crate::load::Measured;
use crate::process::Memory;
use serde::Serialize;
use std::fmt::Write as _;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) cases: Vec<Row>,
    pub(crate) floors: Vec<Floor>,
    pub(crate) memory: Vec<MemoryRow>,
    pub(crate) starts: Vec<Start>,
    pub(crate) targets: Vec<Target>,
}

/// The drivers that are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Drivers {
    pub(crate) count: u32,
    /// Whether they ask for hooks.
    pub(crate) hooks: bool,
}

impl Drivers {
    /// For people.
    pub(crate) fn name(self) -> String {
        match self {
            Drivers { count: 0, .. } => "0".to_owned(),
            Drivers { count, hooks: true } => count.to_string(),
            Drivers { count, hooks: false } => format!("{count} without hooks"),
        }
    }
}

/// One case.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) database: &'static str,
    pub(crate) drivers: Drivers,
    pub(crate) connections: usize,
    pub(crate) case: Case,
    #[serde(flatten)]
    pub(crate) measured: Measured,
}

/// The bare transactions of port creates.
#[derive(Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) database: &'static str,
    pub(crate) connections: usize,
    /// Statements that the bare client sent for each transaction.
    pub(crate) statements: f64,
    /// Statements that the server sent for each create, of all its connections.
    pub(crate) server_statements: f64,
    #[serde(flatten)]
    pub(crate) measured: Measured,
}

/// Memory of a server.
#[derive(Debug, Serialize)]
pub(crate) struct MemoryRow {
    pub(crate) database: &'static str,
    pub(crate) drivers: Drivers,
    /// After the start.
    pub(crate) idle: Memory,
    /// After the load.
    pub(crate) after: Memory,
}

/// Starts with a warm cache.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) database: &'static str,
    /// The first start, which compiles every plugin and makes every table, ms.
    pub(crate) cold_ms: f64,
    /// The middle one of several, ms.
    pub(crate) warm_ms: f64,
    /// What that server's own banner says, ms.
    pub(crate) says_ms: u64,
}

/// What should be reached.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

/// A bound on a figure.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    Below(f64),
}

/// At this many connections targets about rates and CPU time are judged.
const JUDGED: usize = 16;
/// The database on which they are judged.
const DATABASE: &str = "postgres";

impl Report {
    fn case(&self, drivers: Drivers, connections: usize, case: Case) -> Option<&Measured> {
        let database = self.judged();
        let fits = |row: &&Row| {
            row.database == database
                && row.drivers == drivers
                && row.connections == connections
                && row.case == case
        };
        self.cases.iter().find(fits).map(|row| &row.measured)
    }

    /// PostgreSQL where it was measured.
    fn judged(&self) -> &'static str {
        let there = self.cases.iter().any(|row| row.database == DATABASE);
        if there { DATABASE } else { "sqlite" }
    }

    fn target(&mut self, what: &str, bound: Bound, unit: &str, value: Option<f64>) {
        let Some(value) = value else { return };
        let digits = if value.abs() < 10.0 { 1 } else { 0 };
        let (wanted, met) = match bound {
            Bound::AtLeast(least) => (format!("≥ {least} {unit}"), value >= least),
            Bound::Below(most) => (format!("< {most} {unit}"), value < most),
        };
        let measured = format!("{value:.digits$} {unit}");
        self.targets.push(Target { what: what.to_owned(), wanted, measured, met });
    }

    /// Judges what was measured.
    pub(crate) fn judge(&mut self) {
        let none = Drivers { count: 0, hooks: true };
        let database = self.judged();
        let create = |report: &Report, drivers| report.case(drivers, JUDGED, Case::PortCreate).cloned();
        let bare = create(self, none);
        let floor = self
            .floors
            .iter()
            .find(|f| f.database == database && f.connections == JUDGED)
            .map(|f| f.measured.rate);
        let share = bare.as_ref().zip(floor).map(|(create, floor)| create.rate / floor * 100.0);
        let on = |what: &str| format!("{what} ({database}, {JUDGED} connections)");
        self.target(&on("port create, of the bare transaction's rate"), Bound::AtLeast(40.0), "%", share);
        self.target(
            &on("port create"),
            Bound::AtLeast(1000.0),
            "a second",
            bare.as_ref().map(|create| create.rate),
        );
        let show = self.case(none, JUDGED, Case::PortShow).map(|m| m.rate);
        self.target(&on("port show"), Bound::AtLeast(5000.0), "a second", show);
        let list = self.case(none, 1, Case::PortList1000).map(|m| m.cpu_us / 1000.0);
        self.target("list of 1,000 ports, 1 connection", Bound::Below(10.0), "ms of server CPU", list);

        let cpu = |report: &Report, count, hooks| create(report, Drivers { count, hooks }).map(|m| m.cpu_us);
        let further = cpu(self, 5, true).zip(cpu(self, 1, true)).map(|(five, one)| (five - one) / 4.0);
        self.target(
            &on("each further driver, a port create"),
            Bound::Below(150.0),
            "µs of server CPU",
            further,
        );
        let idle = cpu(self, 5, false).zip(cpu(self, 0, true)).map(|(five, none)| (five - none) / 5.0);
        // What is nothing disappears in the noise of two measurements.
        let what = on("each driver without hooks, a port create");
        self.target(&what, Bound::Below(NOISE_US), "µs of server CPU (noise)", idle);

        let memory = self.memory.iter().filter(|m| m.drivers == none).map(|m| m.idle.pss_mib);
        let memory = memory.fold(None, |most: Option<f64>, m| Some(most.map_or(m, |most| most.max(m))));
        self.target("idle memory (PSS)", Bound::Below(120.0), "MiB", memory);
        let start = self.starts.iter().map(|s| s.warm_ms);
        let start = start.fold(None, |most: Option<f64>, m| Some(most.map_or(m, |most| most.max(m))));
        self.target("start with a warm cache, to the first answer", Bound::Below(300.0), "ms", start);
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let mut rows = vec![
            ["database", "drivers", "conn", "case", "req/s", "p50 ms", "p99 ms", "server CPU µs", "failed"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for Row { database, drivers, connections, case, measured: m } in &self.cases {
            rows.push(vec![
                (*database).to_owned(),
                drivers.name(),
                connections.to_string(),
                case.name().to_owned(),
                format!("{:.0}", m.rate),
                format!("{:.2}", m.p50_ms),
                format!("{:.2}", m.p99_ms),
                format!("{:.0}", m.cpu_us),
                m.failed.to_string(),
            ]);
        }
        table(&mut out, &rows);
        for row in &self.cases {
            if let Some(failure) = &row.measured.failure {
                let name = row.case.name();
                let _ = writeln!(out, "{}, {name}, {} connections: {failure}", row.database, row.connections);
            }
        }

        if !self.floors.is_empty() {
            let _ = writeln!(out, "\nThe bare transaction of a port create, one connection per client:");
            let head =
                ["database", "conn", "tx/s", "p50 ms", "p99 ms", "statements", "server's", "server reaches"];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            for Floor { database, connections, statements, server_statements, measured: m } in &self.floors {
                let fits = |row: &&Row| {
                    row.database == *database
                        && row.connections == *connections
                        && row.case == Case::PortCreate
                        && row.drivers.count == 0
                };
                let share = self.cases.iter().find(fits).map(|row| row.measured.rate / m.rate * 100.0);
                rows.push(vec![
                    (*database).to_owned(),
                    connections.to_string(),
                    format!("{:.0}", m.rate),
                    format!("{:.2}", m.p50_ms),
                    format!("{:.2}", m.p99_ms),
                    format!("{statements:.1}"),
                    format!("{server_statements:.1}"),
                    share.map(|s| format!("{s:.0} %")).unwrap_or_default(),
                ]);
            }
            table(&mut out, &rows);
            for floor in &self.floors {
                if let Some(failure) = &floor.measured.failure {
                    let failed = floor.measured.failed;
                    let _ = writeln!(out, "{}: {failed} transactions failed: {failure}", floor.database);
                }
            }
        }

        let _ = writeln!(out, "\nMemory, MiB:");
        let head = ["database", "drivers", "idle RSS", "idle PSS", "after RSS", "after PSS"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for m in &self.memory {
            let figures = [m.idle.rss_mib, m.idle.pss_mib, m.after.rss_mib, m.after.pss_mib];
            rows.push(
                [m.database.to_owned(), m.drivers.name()]
                    .into_iter()
                    .chain(figures.map(|f| format!("{f:.0}")))
                    .collect(),
            );
        }
        table(&mut out, &rows);

        let _ = writeln!(out, "\nStart, ms to the first answer:");
        let mut rows = vec![["database", "cold", "warm", "its banner"].map(str::to_owned).to_vec()];
        for s in &self.starts {
            let (cold, warm) = (format!("{:.0}", s.cold_ms), format!("{:.0}", s.warm_ms));
            rows.push(vec![s.database.to_owned(), cold, warm, s.says_ms.to_string()]);
        }
        table(&mut out, &rows);

        let _ = writeln!(out, "\nTargets:");
        let rows: Vec<Vec<String>> = self
            .targets
            .iter()
            .map(|t| {
                let met = if t.met { "met" } else { "MISSED" };
                vec![met.to_owned(), t.what.clone(), t.wanted.clone(), t.measured.clone()]
            })
            .collect();
        table(&mut out, &rows);
        out
    }
}

/// Two measurements of the same thing differ by about this much CPU time.
const NOISE_US: f64 = 25.0;

/// Columns as wide as needed.
fn table(out: &mut String, rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(i) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let is_number = cell.parse::<f64>().is_ok();
            let _ =
                if is_number { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(drivers: Drivers, case: Case, rate: f64, cpu_us: f64) -> Row {
        let measured = Measured { rate, cpu_us, ..Measured::default() };
        Row { database: "postgres", drivers, connections: 16, case, measured }
    }

    #[test]
    fn targets_are_judged_by_the_measured_figures() {
        let drivers = |count, hooks| Drivers { count, hooks };
        let mut report = Report {
            cases: vec![
                row(drivers(0, true), Case::PortCreate, 1500.0, 500.0),
                row(drivers(1, true), Case::PortCreate, 1300.0, 700.0),
                row(drivers(5, true), Case::PortCreate, 900.0, 1500.0),
                row(drivers(5, false), Case::PortCreate, 1500.0, 510.0),
                row(drivers(0, true), Case::PortShow, 4000.0, 100.0),
            ],
            ..Report::default()
        };
        report.floors = vec![Floor {
            database: "postgres",
            connections: 16,
            statements: 9.0,
            server_statements: 9.0,
            measured: Measured { rate: 3000.0, ..Measured::default() },
        }];
        report.judge();
        let met: Vec<(bool, &str)> = report.targets.iter().map(|t| (t.met, t.measured.as_str())).collect();
        assert_eq!(
            met,
            [
                (true, "50 %"),
                (true, "1500 a second"),
                (false, "4000 a second"),
                (false, "200 µs of server CPU"),
                (true, "2.0 µs of server CPU (noise)"),
            ]
        );
        assert!(report.text().contains("MISSED  port show"), "{}", report.text());
    }
}
