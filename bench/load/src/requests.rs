//! Bench of load: requests per second over kept connections, ours and the peer's in turns, by one generator.

use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::servers::{self, Bellwether, Process, TOKEN, processor};
use crate::watch::milliseconds;
use crate::wire::{Connection, request};
use crate::world::{Flag, Person, checked};
use crate::{Asked, Failure, floor, report};
use results::Sorted;

/// Flags of the environment.
pub(crate) const FLAGS: usize = 350;
/// People who ask, one after the other.
const PEOPLE: u32 = 1_024;
/// People whose answers are looked at before anything is measured.
const LOOKED_AT: u32 = 64;
/// What is asked for, and over how many connections.
const CELLS: [(Wanted, usize); 4] =
    [(Wanted::One, 1), (Wanted::One, 32), (Wanted::All, 1), (Wanted::All, 32)];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wanted {
    One,
    All,
}

/// One server, and what it is asked.
struct Subject {
    name: &'static str,
    process: Process,
    one: Rc<[Vec<u8>]>,
    all: Rc<[Vec<u8>]>,
}

impl Subject {
    fn requests(&self, wanted: Wanted) -> Rc<[Vec<u8>]> {
        Rc::clone(if wanted == Wanted::One { &self.one } else { &self.all })
    }
}

/// One server's turn.
struct Turn {
    per_second: f64,
    latencies: Sorted,
    bytes: f64,
    /// Cores that server and generator kept busy.
    server: f64,
    generator: f64,
}

/// Measures, and writes a table.
pub(crate) async fn section(asked: &Asked) -> Result<String, Failure> {
    let subjects = [ours(asked).await?, peer(asked).await?, fixed().await?];
    let mut shares = Vec::new();
    for subject in subjects.iter().take(2) {
        shares.push(format!("{} {:.1} %", subject.name, 100.0 * look(subject).await?));
    }
    for subject in &subjects {
        for wanted in [Wanted::One, Wanted::All] {
            turn(subject, wanted, 32, Duration::from_secs(2)).await?;
        }
    }
    let mut turns: Vec<(usize, usize, Turn)> = Vec::new();
    for round in 0..asked.rounds {
        for (cell, (wanted, connections)) in CELLS.into_iter().enumerate() {
            // Whoever is first in one round is last in the next.
            let mut order: Vec<usize> = (0..subjects.len()).collect();
            order.rotate_left(round % subjects.len());
            for at in order {
                let Some(subject) = subjects.get(at) else { continue };
                turns.push((cell, at, turn(subject, wanted, connections, asked.turn).await?));
            }
        }
    }
    let mut out = String::from(
        "### Requests\n\n\
         | asked for | connections | server | requests/s | × | p50, ms | p99, ms | server, µs of processor each | cores: server + generator | bytes of an answer |\n\
         |---|---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (cell, (wanted, connections)) in CELLS.into_iter().enumerate() {
        let what = match wanted {
            Wanted::One => "one flag".to_owned(),
            Wanted::All => format!("{FLAGS} flags in bulk"),
        };
        for (at, subject) in subjects.iter().enumerate() {
            let of = |at: usize| {
                turns.iter().filter(move |turn| (turn.0, turn.1) == (cell, at)).map(|turn| &turn.2)
            };
            let median = |read: &dyn Fn(&Turn) -> f64| Sorted::of(of(at).map(read)).median();
            let times =
                Sorted::of(of(at).zip(of(0)).map(|(this, ours)| this.per_second / ours.per_second)).median();
            out.push_str(&format!(
                "| {what} | {connections} | {} | {} | {times:.2} | {:.2} | {:.2} | {:.0} | {:.2} + {:.2} | {} |\n",
                subject.name,
                results::whole(median(&|turn| turn.per_second)),
                median(&|turn| turn.latencies.median()),
                median(&|turn| turn.latencies.at(0.99)),
                median(&|turn| turn.server / turn.per_second * 1e6),
                median(&|turn| turn.server),
                median(&|turn| turn.generator),
                results::whole(median(&|turn| turn.bytes)),
            ));
        }
    }
    out.push_str(&format!(
        "\nMedians of {} turns of {} s each, the servers by turns; × is the median of the rounds' ratios to ours. \
         Before that {LOOKED_AT} people's answers were looked at: no flag is on for anybody whom its clauses leave out, a \
         single answer is that of the bulk, and of those that half should get are on: {}.\n",
        asked.rounds,
        asked.turn.as_secs_f64(),
        shares.join(", "),
    ));
    Ok(out)
}

async fn ours(asked: &Asked) -> Result<Subject, Failure> {
    let mut server = Bellwether::start(&asked.server).await?;
    for n in 0..FLAGS {
        server.make(&Flag(n)).await?;
    }
    let key = format!("Bearer {}", server.server_key);
    let ask = |path: &str| {
        let people = (0..PEOPLE).map(Person);
        people.map(|p| request("POST", path, &[("authorization", &key)], Some(&p.ofrep()))).collect()
    };
    let one = ask(&format!("/ofrep/v1/evaluate/flags/{}", Flag(1).key()));
    let all = ask("/ofrep/v1/evaluate/flags");
    Ok(Subject { name: "bellwether", process: server.process, one, all })
}

async fn peer(asked: &Asked) -> Result<Subject, Failure> {
    let process = servers::edge(&asked.peer, FLAGS).await?;
    let ask = |path: &str| {
        let people = (0..PEOPLE).map(Person);
        people.map(|p| request("POST", path, &[("authorization", TOKEN)], Some(&p.unleash()))).collect()
    };
    let one = ask(&format!("/api/frontend/features/{}", Flag(1).key()));
    let all = ask("/api/frontend/all");
    Ok(Subject { name: "unleash-edge", process, one, all })
}

/// What the generator and the system can do: this program, answering a fixed text.
async fn fixed() -> Result<Subject, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(floor::ARGUMENT).stdout(Stdio::piped());
    let process = Process::saying(command, |line| Ok(line.trim().parse()?))?;
    let ask = |bytes: usize| {
        let path = format!("/{bytes}");
        (0..PEOPLE).map(|n| request("POST", &path, &[], Some(&Person(n).ofrep()))).collect()
    };
    Ok(Subject { name: "(a fixed text)", process, one: ask(100), all: ask(30_000) })
}

/// Looks at answers: see [`checked`].
async fn look(subject: &Subject) -> Result<f64, Failure> {
    let mut connection = Connection::open(subject.process.address).await?;
    let mut answers = Vec::new();
    for (n, (one, all)) in (0..LOOKED_AT).zip(subject.one.iter().zip(subject.all.iter())) {
        let bulk = connection.json(all).await?;
        let list = [&bulk["flags"], &bulk["toggles"]]
            .into_iter()
            .find_map(Json::as_array)
            .ok_or("no list of flags")?;
        let answer = list.iter().map(said).collect::<Result<Vec<_>, _>>()?;
        let single = said(&connection.json(one).await?)?;
        if !answer.contains(&single) {
            return Err(format!("{} says `{single:?}` alone and something else in bulk", subject.name).into());
        }
        answers.push((Person(n), answer));
    }
    checked(FLAGS, answers)
}

/// A flag's key, and whether it is on: in OFREP's words or in Unleash's.
fn said(answer: &Json) -> Result<(String, bool), Failure> {
    let (key, value) = match answer.get("key") {
        Some(key) => (key.as_str(), answer["value"].as_bool()),
        None => (answer["name"].as_str(), answer["enabled"].as_bool()),
    };
    key.map(str::to_owned).zip(value).ok_or_else(|| format!("`{answer}` is no answer").into())
}

async fn turn(
    subject: &Subject,
    wanted: Wanted,
    connections: usize,
    length: Duration,
) -> Result<Turn, Failure> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(subject.process.address).await?);
    }
    let used = (subject.process.processor()?, processor("self")?);
    let began = Instant::now();
    let mut lanes = Vec::new();
    for (lane, mut connection) in open.into_iter().enumerate() {
        let requests = subject.requests(wanted);
        lanes.push(tokio::task::spawn_local(async move {
            let (mut latencies, mut bytes) = (Vec::new(), 0);
            for request in requests.iter().cycle().skip(lane * requests.len() / connections) {
                let sent = Instant::now();
                if sent - began >= length {
                    break;
                }
                bytes += connection.succeed(request).await.map_err(|e| e.to_string())?;
                latencies.push(milliseconds(sent.elapsed()));
            }
            Ok::<_, String>((latencies, bytes))
        }));
    }
    let (mut latencies, mut bytes) = (Vec::new(), 0);
    for lane in lanes {
        let (some, more) = lane.await??;
        latencies.extend(some);
        bytes += more;
    }
    let took = began.elapsed().as_secs_f64();
    let count = latencies.len() as f64;
    Ok(Turn {
        per_second: count / took,
        latencies: Sorted::of(latencies),
        bytes: bytes as f64 / count,
        server: (subject.process.processor()? - used.0).as_secs_f64() / took,
        generator: (processor("self")? - used.1).as_secs_f64() / took,
    })
}

/// Which peer is there, before anything is begun. It cannot say its version; the root that it was installed to can.
pub(crate) fn version(binary: &Path) -> Result<String, Failure> {
    let root = binary.parent().and_then(Path::parent).filter(|_| binary.is_file());
    let root = root.ok_or_else(|| format!("there is no `{}`\nhint: use `./run`", binary.display()))?;
    let list = results::said("cargo", &["install", "--list", "--root", &root.display().to_string()])?;
    Ok(list.lines().next().unwrap_or_default().trim_end_matches(':').to_owned())
}
