//! Bench of ingest: senders, each a connection and a thread. They send as fast as they are answered, or at a rate
//! that does not ask how the server is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::events::Body;
use crate::server::{Server, processor};
use crate::wire::Connection;
use results::Sorted;

/// How requests are made.
pub(crate) struct Way<'w> {
    /// The path of the protocol.
    pub(crate) path: &'static str,
    /// The bodies; past the last one the first is sent again, with other ids.
    pub(crate) bodies: &'w [Body],
    /// Whether they are packed, before the clock starts and each for one sending.
    pub(crate) gzip: bool,
    pub(crate) connections: usize,
}

/// When to send.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as the last request of the connection was answered, until so long has passed.
    Closed(Duration),
    /// So many events a second for so long. A request that could not be sent in its time counts from that time on.
    Open(f64, Duration),
    /// Each body once.
    Once,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Sent {
    /// Events whose request was answered with 200.
    pub(crate) acknowledged: u64,
    /// Events whose request was refused, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Events whose request had no answer: they may be stored or not.
    pub(crate) unanswered: u64,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Milliseconds until each answer with 200.
    pub(crate) waited: Sorted,
    /// Time of processors, of the server and of the senders.
    pub(crate) server: Duration,
    pub(crate) senders: Duration,
    /// Memory of the server in MB, the most that ever was.
    pub(crate) memory: f64,
    /// Bytes of the requests that were sent.
    pub(crate) bytes: u64,
}

impl Sent {
    /// Acknowledged events a second.
    pub(crate) fn rate(&self) -> f64 {
        self.acknowledged as f64 / self.took.as_secs_f64()
    }

    /// Microseconds of processors for each acknowledged event: of the server, of the senders.
    pub(crate) fn each(&self) -> (f64, f64) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.acknowledged as f64;
        (each(self.server), each(self.senders))
    }
}

/// How long a sender waits that is told to come later; SDKs wait longer.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Lane {
    acknowledged: u64,
    refused: BTreeMap<u16, u64>,
    unanswered: u64,
    waited: Vec<f64>,
    bytes: u64,
}

/// Sends.
pub(crate) fn send(server: &Server, way: &Way<'_>, pace: Pace) -> Result<Sent, Failure> {
    let packed: Vec<Vec<u8>> = match way.gzip {
        true => way
            .bodies
            .iter()
            .map(|body| request(server, way, &pack(server, body)?))
            .collect::<Result<_, _>>()?,
        false => Vec::new(),
    };
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (server_before, senders_before) = (server.processor()?, processor("self")?);
    let begun = Instant::now();
    let lanes: Vec<Result<Lane, String>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..way.connections)
            .map(|_| {
                let (packed, next, stop) = (&packed, &next, &stop);
                let lane = move || {
                    lane(server, way, pace, packed, next, stop, begun).map_err(|failure| {
                        stop.store(true, Ordering::Relaxed);
                        failure.to_string()
                    })
                };
                std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, lane)
            })
            .collect();
        let join = |lane: std::io::Result<std::thread::ScopedJoinHandle<'_, _>>| {
            lane.map_err(|e| e.to_string())?.join().unwrap_or_else(|_| Err("a sender panicked".to_owned()))
        };
        running.into_iter().map(join).collect()
    });
    let mut sent = Sent {
        took: begun.elapsed(),
        server: server.processor()? - server_before,
        senders: processor("self")? - senders_before,
        memory: server.memory()?.1,
        ..Sent::default()
    };
    let mut waited = Vec::new();
    for lane in lanes {
        let lane = lane?;
        sent.acknowledged += lane.acknowledged;
        sent.unanswered += lane.unanswered;
        sent.bytes += lane.bytes;
        for (status, events) in lane.refused {
            *sent.refused.entry(status).or_default() += events;
        }
        waited.extend(lane.waited);
    }
    sent.waited = Sorted::of(waited);
    Ok(sent)
}

fn pack(server: &Server, body: &Body) -> Result<Vec<u8>, Failure> {
    let mut plain = opening(server).into_bytes();
    body.write(&mut plain, 0);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, &plain)?;
    Ok(packer.finish()?)
}

fn opening(server: &Server) -> String {
    format!("{{\"api_key\":\"{}", server.key)
}

/// What stands before a body.
fn head(way: &Way<'_>, length: usize) -> String {
    let packed = if way.gzip { "content-encoding: gzip\r\n" } else { "" };
    let path = way.path;
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{packed}content-length: {length}\r\n\r\n"
    )
}

fn request(_server: &Server, way: &Way<'_>, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut request = head(way, body.len()).into_bytes();
    request.extend_from_slice(body);
    Ok(request)
}

fn lane(
    server: &Server,
    way: &Way<'_>,
    pace: Pace,
    packed: &[Vec<u8>],
    next: &AtomicU64,
    stop: &AtomicBool,
    begun: Instant,
) -> Result<Lane, Failure> {
    let mut lane = Lane::default();
    let mut connection = Connection::open(server.address)?;
    let opening = opening(server);
    let mut plain = Vec::new();
    let count = way.bodies.len() as u64;
    while !stop.load(Ordering::Relaxed) {
        let ticket = next.fetch_add(1, Ordering::Relaxed);
        let (sending, place) = (ticket / count, (ticket % count) as usize);
        let Some(body) = way.bodies.get(place) else { break };
        let due = match pace {
            Pace::Closed(time) if begun.elapsed() >= time => break,
            Pace::Once if sending > 0 => break,
            _ if way.gzip && sending > 0 => break,
            Pace::Closed(_) | Pace::Once => None,
            Pace::Open(rate, time) => {
                let due = Duration::from_secs_f64(ticket as f64 * body.events as f64 / rate);
                if due >= time {
                    break;
                }
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                Some(begun + due)
            }
        };
        let request = if way.gzip {
            packed.get(place).map(Vec::as_slice).unwrap_or_default()
        } else {
            plain.clear();
            plain.extend_from_slice(head(way, opening.len() + body.text.len()).as_bytes());
            plain.extend_from_slice(opening.as_bytes());
            body.write(&mut plain, sending);
            &plain
        };
        let from = due.unwrap_or_else(Instant::now);
        lane.bytes += request.len() as u64;
        match connection.ask(request) {
            Ok(200) => {
                lane.acknowledged += body.events;
                lane.waited.push(from.elapsed().as_secs_f64() * 1e3);
            }
            Ok(status @ (429 | 503)) => {
                *lane.refused.entry(status).or_default() += body.events;
                // An SDK waits before it goes on; who does not only keeps the server from what it has to do.
                if matches!(pace, Pace::Closed(_)) {
                    std::thread::sleep(PATIENCE);
                }
            }
            Ok(status) => {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&connection.came)).into());
            }
            Err(_) => {
                lane.unanswered += body.events;
                connection = Connection::open(server.address)?;
            }
        }
    }
    Ok(lane)
}
