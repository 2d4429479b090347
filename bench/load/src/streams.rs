//! Bench of load: clients of OFREP's event stream, each with a connection of its own, who hear of every change
//! and then ask for all flags again.

use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::servers::Bellwether;
use crate::watch::{Changes, Watch, milliseconds};
use crate::wire::{Connection, request};
use crate::world::{Flag, Person};
use crate::{Asked, Failure, lanes, report, requests::FLAGS};
use results::Sorted;

/// What tells a client to ask again.
const WORD: &[u8] = b"refetchEvaluation";
/// Clients that connect at once.
const AT_ONCE: usize = 64;
/// Connections over which all clients ask again.
const REFETCHING: usize = 64;
/// How often they do.
const REFETCHES: usize = 4;
/// The flag that is switched.
const SWITCHED: Flag = Flag(0);
/// Rest between two changes.
pub(crate) const REST: Duration = Duration::from_millis(200);

/// Measures, and writes a table.
pub(crate) async fn section(asked: &Asked) -> Result<String, Failure> {
    let mut server = Bellwether::start(&asked.server).await?;
    for n in 0..FLAGS {
        server.make(&Flag(n)).await?;
    }
    let (address, key) = (server.process.address, format!("Bearer {}", server.client_key));
    let ask = |n: usize| {
        let person = Person(n as u32).ofrep();
        request("POST", "/ofrep/v1/evaluate/flags", &[("authorization", &key)], Some(&person))
    };
    let bulk = Connection::open(address).await?.json(&ask(0)).await?;
    let path =
        bulk["eventStreams"][0]["endpoint"]["requestUri"].as_str().ok_or("the answer names no stream")?;
    let listen = Rc::new(request("GET", path, &[("accept", "text/event-stream")], None));

    let before = server.process.memory()?.0;
    let watch = Watch::default();
    let began = Instant::now();
    let connecting = (0..asked.clients).map(|_| {
        let (watch, listen) = (watch.clone(), Rc::clone(&listen));
        async move { connect(address, &listen, watch).await }
    });
    lanes(AT_ONCE, connecting).await?;
    let connected = began.elapsed();
    let idle = server.process.memory()?.0;

    let mut changes = Changes::begin(&server.process)?;
    let mut on = true;
    for _ in 0..asked.toggles {
        tokio::time::sleep(REST).await;
        on = !on;
        watch.expect();
        let (sent, answered) = server.toggle(&SWITCHED, on).await?;
        changes.add(&watch.delays(sent).await?, answered);
    }
    let processors = changes.processors(&server.process)?;
    let (told, most) = server.process.memory()?;

    let requests: Vec<Vec<u8>> = (0..asked.clients).map(ask).collect();
    let mut fetched = Vec::new();
    for _ in 0..REFETCHES {
        tokio::time::sleep(REST).await;
        on = !on;
        watch.expect();
        let (sent, _) = server.toggle(&SWITCHED, on).await?;
        watch.delays(sent).await?;
        fetched.push(refetch(address, &requests).await?);
    }
    let (after, most_after) = server.process.memory()?;

    let clients = results::whole(asked.clients as f64);
    let mut out = format!(
        "### {clients} clients of the event stream\n\n\
         From the moment in which the request to switch one of {FLAGS} flags is sent; {} times.\n\n\
         | | median | 99 % | most |\n|---|---:|---:|---:|\n{}\n\n{processors}\n\n\
         | memory of the server, MB resident | |\n|---|---:|\n",
        asked.toggles,
        changes.rows().join("\n"),
    );
    for (when, megabytes) in [
        ("before anybody connected", before),
        ("with all connected", idle),
        ("**after the changes**", told),
        ("the most until then", most),
        ("after the refetches", after),
        ("the most until then", most_after),
    ] {
        out.push_str(&format!("| {when} | {megabytes:.0} |\n"));
    }
    out.push_str(&format!(
        "\n| all {clients} clients ask for {FLAGS} flags again, over {REFETCHING} connections | s | requests/s | p50, ms | p99, ms |\n\
         |---|---:|---:|---:|---:|\n",
    ));
    for (n, (took, latencies)) in fetched.iter().enumerate() {
        let which = if n == 0 { "the first time that day" } else { "again, after another change" };
        out.push_str(&format!(
            "| {which} | {:.2} | {} | {:.1} | {:.1} |\n",
            took.as_secs_f64(),
            results::whole(asked.clients as f64 / took.as_secs_f64()),
            latencies.median(),
            latencies.at(0.99),
        ));
    }
    out.push_str(&format!(
        "\nAll were connected after {:.1} s, {AT_ONCE} at a time. Aim: the last client is told within 250 ms in 99 % of the changes, {}; under 300 MB \
         with the streams, {}.\n",
        connected.as_secs_f64(),
        results::met(changes.last() < 250.0),
        results::met(most < 300.0),
    ));
    Ok(out)
}

/// Connects, and listens from then on.
async fn connect(address: std::net::SocketAddr, listen: &[u8], watch: Watch) -> Result<(), Failure> {
    let mut connection = Connection::open(address).await?;
    let head = connection.begin(listen).await?;
    if head.status != 200 {
        return Err(format!("a stream was answered with {}", head.status).into());
    }
    let client = watch.join();
    tokio::task::spawn_local(async move {
        loop {
            if let Some(at) = memmem::find(&connection.came, WORD) {
                watch.told(client);
                connection.came.drain(..at + WORD.len());
                continue;
            }
            // A word may come in two pieces.
            let old = connection.came.len().saturating_sub(WORD.len());
            connection.came.drain(..old);
            if let Err(ended) = connection.more().await {
                return watch.failed(&ended);
            }
        }
    });
    Ok(())
}

/// Everybody asks once; how long all took, and each in ms.
async fn refetch(address: std::net::SocketAddr, requests: &[Vec<u8>]) -> Result<(Duration, Sorted), Failure> {
    let began = Instant::now();
    let asking =
        requests.chunks(requests.len().div_ceil(REFETCHING)).map(<[_]>::to_vec).map(|part| async move {
            let mut connection = Connection::open(address).await?;
            let mut latencies = Vec::with_capacity(part.len());
            for request in part {
                let sent = Instant::now();
                connection.succeed(&request).await?;
                latencies.push(milliseconds(sent.elapsed()));
            }
            Ok(latencies)
        });
    let latencies = lanes(REFETCHING, asking).await?;
    Ok((began.elapsed(), Sorted::of(latencies.into_iter().flatten())))
}
