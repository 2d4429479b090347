//! Bench of load: clients of `flagd.sync.v1`, each with a connection of HTTP/2 of its own, who get the whole
//! ruleset when they come and after every change.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use http::Request;
use tokio::net::TcpStream;

use crate::servers::Bellwether;
use crate::streams::REST;
use crate::watch::{Changes, Watch, milliseconds};
use crate::world::Flag;
use crate::{Asked, Failure, lanes, report};
use results::Sorted;

/// The ruleset has so many bytes or a little more.
const BYTES: usize = 10_000;
/// Clients that connect at once.
const AT_ONCE: usize = 64;
/// Newcomers whose first message is timed, one after the other.
const NEWCOMERS: usize = 200;
/// The flag that is switched.
const SWITCHED: Flag = Flag(0);
/// The clients' patience for their first message.
const PATIENCE: f64 = 500.0;

/// Measures, and writes a table.
pub(crate) async fn section(asked: &Asked) -> Result<String, Failure> {
    let mut server = Bellwether::start(&asked.server).await?;
    let (address, key) = (server.process.address, Rc::<str>::from(server.server_key.as_str()));
    let (mut flags, mut bytes) = (0, 0);
    while bytes < BYTES {
        server.make(&Flag(flags)).await?;
        flags += 1;
        bytes = Stream::open(address, &key).await?.next(<[u8]>::len).await?;
    }

    let mut alone = Vec::new();
    for _ in 0..NEWCOMERS {
        alone.push(first(address, &key).await?);
    }
    let before = server.process.memory()?.0;
    let watch = Watch::default();
    let told = Told::default();
    let began = Instant::now();
    let connecting = (0..asked.streams).map(|_| {
        let (watch, told, key) = (watch.clone(), told.clone(), Rc::clone(&key));
        async move { connect(address, &key, watch, told).await }
    });
    lanes(AT_ONCE, connecting).await?;
    let connected = began.elapsed();
    let idle = server.process.memory()?.0;
    let mut among = Vec::new();
    for _ in 0..NEWCOMERS {
        among.push(first(address, &key).await?);
    }

    let mut changes = Changes::begin(&server.process)?;
    let mut during = Vec::new();
    for n in 0..asked.toggles {
        tokio::time::sleep(REST).await;
        watch.expect();
        told.expect();
        // Somebody comes in the same moment.
        let key = Rc::clone(&key);
        let newcomer =
            tokio::task::spawn_local(async move { first(address, &key).await.map_err(|e| e.to_string()) });
        let (sent, answered) = server.toggle(&SWITCHED, n % 2 == 1).await?;
        changes.add(&watch.delays(sent).await?, answered);
        during.push(newcomer.await??);
    }
    let processors = changes.processors(&server.process)?;
    let (after, most) = server.process.memory()?;

    let streams = results::whole(watch.clients() as f64);
    let mut out = format!(
        "### {streams} streams of `flagd.sync.v1`\n\n\
         A ruleset of {} bytes ({flags} flags); one connection for each stream. From the moment in which the request to switch a flag \
         is sent until the last byte of the new ruleset is there; {} times.\n\n\
         | | median | 99 % | most |\n|---|---:|---:|---:|\n{}\n",
        results::whole(bytes as f64),
        asked.toggles,
        changes.rows().join("\n"),
    );
    let mut late = 0.0_f64;
    for (whom, took) in [
        ("a newcomer's first ruleset, connecting included, nobody else connected, ms", alone),
        ("the same with all others connected, ms", among),
        ("the same in the moment of a change, ms", during),
    ] {
        let took = Sorted::of(took);
        late = late.max(took.most());
        out.push_str(&format!(
            "| {whom} | {:.1} | {:.1} | {:.1} |\n",
            took.median(),
            took.at(0.99),
            took.most()
        ));
    }
    out.push_str(&format!("\n{processors}\n"));
    out.push_str("\n| memory of the server, MB resident | |\n|---|---:|\n");
    for (when, megabytes) in [
        ("before anybody connected", before),
        ("with all connected", idle),
        ("**after the changes**", after),
        ("the most ever", most),
    ] {
        out.push_str(&format!("| {when} | {megabytes:.0} |\n"));
    }
    out.push_str(&format!(
        "\nAll were connected and had their first ruleset after {:.1} s, {AT_ONCE} at a time. Aim: the last client has the ruleset within 250 ms in 99 % of the \
         changes, {}; under 300 MB, {}; a first message within the clients' {PATIENCE} ms, {}.\n",
        connected.as_secs_f64(),
        results::met(changes.last() < 250.0),
        results::met(most < 300.0),
        results::met(late < PATIENCE),
    ));
    Ok(out)
}

/// What all are told: after a change all the same, and something new.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Option<(Vec<u8>, bool)>>>);

impl Told {
    fn expect(&self) {
        if let Some((_, old)) = &mut *self.0.borrow_mut() {
            *old = true;
        }
    }

    fn hear(&self, message: &[u8]) -> Result<(), Failure> {
        let mut told = self.0.borrow_mut();
        match &*told {
            Some((known, old)) if *old == (known == message) => {
                Err("a client was told something else".into())
            }
            Some((_, false)) => Ok(()),
            _ => {
                *told = Some((message.to_owned(), false));
                Ok(())
            }
        }
    }
}

/// Connects, waits for the first message and listens from then on.
async fn connect(address: SocketAddr, key: &str, watch: Watch, told: Told) -> Result<(), Failure> {
    let mut stream = Stream::open(address, key).await?;
    stream.next(|message| told.hear(message)).await??;
    let client = watch.join();
    tokio::task::spawn_local(async move {
        loop {
            let heard = stream.next(|message| {
                watch.told(client);
                told.hear(message)
            });
            if let Err(failure) = heard.await.flatten() {
                return watch.failed(&failure);
            }
        }
    });
    Ok(())
}

/// How long somebody who comes waits for the first message, in ms, connecting included.
async fn first(address: SocketAddr, key: &str) -> Result<f64, Failure> {
    let began = Instant::now();
    Stream::open(address, key).await?.next(|_| ()).await?;
    Ok(milliseconds(began.elapsed()))
}

/// `SyncFlags` on a connection of its own.
struct Stream {
    body: RecvStream,
    came: Vec<u8>,
    connection: tokio::task::JoinHandle<()>,
}

impl Stream {
    async fn open(address: SocketAddr, key: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = h2::client::handshake(stream).await?;
        // It ends with the stream, or the stream hears how it ended.
        let connection = tokio::task::spawn_local(async move { drop(connection.await) });
        let uri = format!("http://{address}/flagd.sync.v1.FlagSyncService/SyncFlags");
        let request = Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("flagd-selector", format!("flagSetId={key}"))
            .body(())?;
        let (response, mut sending) = requests.ready().await?.send_request(request, false)?;
        // An empty message.
        sending.send_data(Bytes::from_static(&[0; 5]), true)?;
        let response = response.await?;
        if response.status() != 200 {
            return Err(format!("a stream was answered with {}", response.status()).into());
        }
        Ok(Self { body: response.into_body(), came: Vec::new(), connection })
    }

    /// Waits for the next message, and looks at it without its frame.
    async fn next<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> Result<T, Failure> {
        loop {
            if let Some((&[_, a, b, c, d], rest)) = self.came.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if let Some(message) = rest.get(..length) {
                    let seen = look(message);
                    self.came.drain(..5 + length);
                    return Ok(seen);
                }
            }
            let Some(data) = self.body.data().await else {
                let trailers = self.body.trailers().await?;
                return Err(format!("a stream ended: {trailers:?}").into());
            };
            let data = data?;
            self.body.flow_control().release_capacity(data.len())?;
            self.came.extend_from_slice(&data);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
