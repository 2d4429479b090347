//! Bench of ingest: what is measured, a table each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;

use crate::events::{Body, bodies};
use crate::load::{Pace, Sent, Way, send};
use crate::server::Server;
use crate::{Asked, Failure};
use results::{met, whole};

/// Which events.
const SEED: u64 = 42;
/// Rounds of the rows that an aim is held against, each with a server of its own.
const ROUNDS: usize = 3;

/// A way of sending that has a row of its own.
struct Row {
    name: &'static str,
    path: &'static str,
    each: u64,
    gzip: bool,
    connections: usize,
    /// Whether the aim is held against it: then it is measured for the whole time, and as often as there are rounds.
    aimed: bool,
}

const ROWS: [Row; 4] = [
    Row {
        name: "`/2/httpapi`, 100 events",
        path: "/2/httpapi",
        each: 100,
        gzip: false,
        connections: 32,
        aimed: true,
    },
    Row {
        name: "`/2/httpapi`, 10 events",
        path: "/2/httpapi",
        each: 10,
        gzip: false,
        connections: 64,
        aimed: false,
    },
    Row {
        name: "`/batch`, 1,000 events",
        path: "/batch",
        each: 1_000,
        gzip: false,
        connections: 16,
        aimed: true,
    },
    Row {
        name: "`/batch`, 1,000 events, gzip",
        path: "/batch",
        each: 1_000,
        gzip: true,
        connections: 16,
        aimed: false,
    },
];

/// That what a query finds is what was acknowledged.
fn settle(server: &Server, sent: &Sent) -> Result<u64, Failure> {
    let found = server.count()?;
    let (least, most) = (sent.acknowledged, sent.acknowledged + sent.unanswered);
    if found < least || found > most {
        return Err(format!("{least} events were acknowledged and {found} are there").into());
    }
    Ok(found)
}

fn row(asked: &Asked, row: &Row, made: &[Body], time: Duration) -> Result<Sent, Failure> {
    let server = Server::start(&asked.server, false)?;
    let way = Way { path: row.path, bodies: made, gzip: row.gzip, connections: row.connections };
    let sent = send(&server, &way, Pace::Closed(time))?;
    settle(&server, &sent)?;
    Ok(sent)
}

/// How many events a second, and how long answers take at half of that.
pub(crate) fn rate(asked: &Asked, capacity: &mut Option<f64>) -> Result<String, Failure> {
    let mut table = String::from(
        "### Events a second, durable before the reply\n\n| requests | connections | events/s | × | p50, ms | p99, ms | server, µs of processor each | senders, µs each | bytes of a body | server's memory at most, MB | told to come later, of each 100 requests |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut first: Option<f64> = None;
    let mut aims = Vec::new();
    let mut made = Vec::new();
    for one in &ROWS {
        if made.first().is_none_or(|body: &Body| body.events != one.each) {
            made = bodies(asked.events, one.each, SEED);
        }
        // What is packed is sent once, so that it may be over sooner.
        let (rounds, time) = if one.aimed { (ROUNDS, asked.time) } else { (1, asked.time / 3) };
        let mut runs = Vec::new();
        for _ in 0..rounds {
            runs.push(row(asked, one, &made, time)?);
        }
        runs.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
        let Some(sent) = runs.get(runs.len() / 2) else { continue };
        let base = *first.get_or_insert(sent.rate());
        if one.aimed {
            aims.push(format!("{} by {}", met(sent.rate() >= 200_000.0), one.name));
            *capacity = Some(capacity.unwrap_or_default().max(sent.rate()));
        }
        let (server, senders) = sent.each();
        let requests = sent.acknowledged as f64 / one.each as f64;
        let later = sent.refused.values().sum::<u64>() as f64;
        table.push_str(&format!(
            "| {} | {} | {} | {:.2} | {:.1} | {:.1} | {server:.2} | {senders:.2} | {} | {} | {:.1} |\n",
            one.name,
            one.connections,
            whole(sent.rate()),
            sent.rate() / base,
            sent.waited.median(),
            sent.waited.at(0.99),
            whole(sent.bytes as f64 / requests),
            whole(sent.memory),
            100.0 * later / (later + sent.acknowledged as f64),
        ));
    }
    let full = first.ok_or("nothing was measured")?;
    made = bodies(asked.events, 100, SEED);
    let server = Server::start(&asked.server, false)?;
    let way = Way { path: "/2/httpapi", bodies: &made, gzip: false, connections: 64 };
    let half = send(&server, &way, Pace::Open(full / 2.0, asked.time))?;
    settle(&server, &half)?;
    let late = half.waited.at(0.99);
    table.push_str(&format!(
        "\nThe rows of `/2/httpapi` with 100 events and of `/batch` are the medians of {ROUNDS} rounds of {} s, each on a new server; the others one of a third of that, in which parts are merged less often. Each event was held against a tracking plan of all types and properties, which it follows, and one property was stored as a keyed hash. The rate is of what was acknowledged while parts were written; where these fall behind, the server bounds its memory by 429, and a sender waits 100 ms and sends the next. After each, a query counted exactly the events that were acknowledged. Aim: 200,000 events/s, {}.\n\n\
         At half of what `/2/httpapi` took, {} events/s sent at their times whoever was answered: {} acknowledged, p50 {:.1} ms, p99 {late:.1} ms, most {:.1} ms. Aim: p99 under 50 ms, {}.\n",
        asked.time.as_secs_f64(),
        aims.join(", "),
        whole(full / 2.0),
        whole(half.acknowledged as f64),
        half.waited.median(),
        half.waited.most(),
        met(late < 50.0 && half.refused.is_empty()),
    ));
    Ok(table)
}

/// What happens at twice what can be taken.
pub(crate) fn overload(asked: &Asked, capacity: Option<f64>) -> Result<String, Failure> {
    let made = bodies(asked.events, 1_000, SEED);
    let full = capacity.unwrap_or(200_000.0);
    let server = Server::start(&asked.server, false)?;
    let way = Way { path: "/batch", bodies: &made, gzip: false, connections: 256 };
    let sent = send(&server, &way, Pace::Open(2.0 * full, asked.time))?;
    let found = settle(&server, &sent)?;
    let refused = |status| whole(sent.refused.get(&status).copied().unwrap_or_default() as f64);
    let offered = sent.acknowledged + sent.unanswered + sent.refused.values().sum::<u64>();
    Ok(format!(
        "### Twice as much as can be taken\n\nBodies of 1,000 events by `/batch` over 256 connections at the times of {} events/s for {} s; senders wait for their answers, so that what is offered is what they can.\n\n\
         | offered, events | acknowledged | 429 | 503 | without an answer | counted afterwards | events/s | p99, ms | server's memory at most, MB |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n\
         | {} | {} | {} | {} | {} | {} | {} | {:.0} | {} |\n",
        whole(2.0 * full),
        asked.time.as_secs_f64(),
        whole(offered as f64),
        whole(sent.acknowledged as f64),
        refused(429),
        refused(503),
        whole(sent.unanswered as f64),
        whole(found as f64),
        whole(sent.rate()),
        sent.waited.at(0.99),
        whole(sent.memory),
    ))
}

/// Files of a directory with this ending: how many, and their bytes.
fn files(dir: &Path, ending: &str) -> Result<(usize, u64), Failure> {
    let (mut count, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|e| e == ending) {
            count += 1;
            bytes += entry.metadata()?.len();
        }
    }
    Ok((count, bytes))
}

/// What an event takes on disk.
pub(crate) fn bytes(asked: &Asked) -> Result<String, Failure> {
    let made = bodies(asked.events, 1_000, SEED);
    let server = Server::start(&asked.server, true)?;
    let way = Way { path: "/batch", bodies: &made, gzip: false, connections: 4 };
    let sent = send(&server, &way, Pace::Once)?;
    let log = files(&server.events().join("wal"), "wal")?.1;
    let found = settle(&server, &sent)?;
    // All into parts, and then as many rounds of merging as change something.
    let mut before = (0, 0);
    let mut same = 0;
    while same < 40 {
        server.advance(Duration::from_secs(301))?;
        let now = files(&server.events().join("parts"), "parquet")?;
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    let (parts, bytes) = before;
    let (_, listed) = files(&server.events().join("parts"), "ids")?;
    let (columns, hot) = files(&server.events().join("parts"), "hot")?;
    if columns != parts {
        return Err(format!("{parts} parts and {columns} files of hot columns").into());
    }
    let each = |bytes: u64| bytes as f64 / found as f64;
    let plain: u64 = made.iter().map(|body| body.text.len() as u64).sum();
    Ok(format!(
        "### Bytes of an event on disk\n\n| | bytes | |\n|---|---:|---|\n| JSON as it was sent | {:.0} | |\n| bellwether, parts | {:.1} | {parts} files, LZ4; no merge was left to do |\n| bellwether, hot columns beside them | {:.1} | written again from the parts where they are missing |\n| bellwether, lists of named events beside them | {:.1} | for seven days |\n| bellwether, write-ahead log before it was sealed | {:.1} | goes with the seal; what was sealed while events came is not in it |\n",
        each(plain),
        each(bytes),
        each(hot),
        each(listed),
        each(log),
    ))
}

/// The same rows into ClickHouse.
pub(crate) fn peer(asked: &Asked) -> Result<String, Failure> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir_in(here.join("target"))?;
    let rows = directory.path().join("rows.ndjson");
    let mut lines = Vec::new();
    bodies(asked.events, 1_000, SEED).iter().for_each(|body| body.lines(&mut lines));
    std::fs::write(&rows, &lines)?;
    drop(lines);
    let output = Command::new(here.join("target/venv/bin/python"))
        .arg(here.join("peer.py"))
        .arg(&rows)
        .arg(directory.path().join("chdb"))
        .output()?;
    if !output.status.success() {
        return Err(format!("the peer: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let said: Json = serde_json::from_slice(&output.stdout)?;
    let mut table = format!(
        "### The same rows into ClickHouse\n\nchdb {} (ClickHouse {}), {} rows from a file of JSON, one object to a line, with two threads; sorted by user and time.\n\n| columns | compression | rows/s | processor, µs a row | bytes a row, merged | bytes a row, as inserted |\n|---|---|---:|---:|---:|---:|\n",
        said["chdb"].as_str().unwrap_or_default(),
        said["clickhouse"].as_str().unwrap_or_default(),
        whole(asked.events as f64),
    );
    for run in said["runs"].as_array().ok_or("the peer ran nothing")? {
        let number = |name: &str| run[name].as_f64().ok_or_else(|| format!("the peer does not say `{name}`"));
        if number("rows")? != asked.events as f64 {
            return Err("the peer has other rows".into());
        }
        table.push_str(&format!(
            "| {} | {} | {} | {:.1} | {:.1} | {:.1} |\n",
            run["columns"].as_str().unwrap_or_default(),
            run["codec"].as_str().unwrap_or_default(),
            whole(number("rate")?),
            number("processor")?,
            number("merged")?,
            number("inserted")?,
        ));
    }
    Ok(table)
}
