//! Bench of load: HTTP/1.1 as a client speaks it, with as little work as may be. One connection carries one
//! request after the other.

use std::net::SocketAddr;

use memchr::memmem;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;

/// A request as it goes over the wire.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Json>) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.map(Json::to_string).unwrap_or_default();
    if !body.is_empty() {
        out.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    out.push_str(&body);
    out.into_bytes()
}

/// What is said of an answer before its body.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// How many bytes the body has; none where it comes in chunks.
    pub(crate) length: Option<usize>,
    pub(crate) cookies: Vec<String>,
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What has come and was not taken.
    pub(crate) came: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, came: Vec::with_capacity(16 << 10) })
    }

    /// Reads some more.
    pub(crate) async fn more(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.came).await? {
            0 => Err("the server ended a connection".into()),
            _ => Ok(()),
        }
    }

    /// Sends a request and reads up to the body.
    pub(crate) async fn begin(&mut self, request: &[u8]) -> Result<Head, Failure> {
        self.stream.write_all(request).await?;
        loop {
            self.more().await?;
            if memmem::find(&self.came, b"\r\n\r\n").is_some() {
                return self.head();
            }
        }
    }

    fn head(&mut self) -> Result<Head, Failure> {
        let mut room = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut room);
        let httparse::Status::Complete(taken) = parsed.parse(&self.came)? else {
            return Err("an answer has no head".into());
        };
        let mut head = Head { status: parsed.code.unwrap_or_default(), ..Head::default() };
        for header in parsed.headers.iter() {
            let text = || std::str::from_utf8(header.value);
            if header.name.eq_ignore_ascii_case("content-length") {
                head.length = Some(text()?.parse()?);
            } else if header.name.eq_ignore_ascii_case("set-cookie") {
                head.cookies.push(text()?.split(';').next().unwrap_or_default().to_owned());
            }
        }
        self.came.drain(..taken);
        Ok(head)
    }

    /// Sends a request and reads the whole answer, whose body is in `came` until the next one.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Head, Failure> {
        self.came.clear();
        let head = self.begin(request).await?;
        let length = head.length.ok_or("an answer does not say how long it is")?;
        while self.came.len() < length {
            self.more().await?;
        }
        match self.came.len() == length {
            true => Ok(head),
            false => Err("more came than was asked for".into()),
        }
    }

    /// The same, which must be a success; the answer's length.
    pub(crate) async fn succeed(&mut self, request: &[u8]) -> Result<usize, Failure> {
        let head = self.ask(request).await?;
        match head.status {
            200..300 => Ok(self.came.len()),
            status => Err(format!("{status}: {}", String::from_utf8_lossy(&self.came)).into()),
        }
    }

    /// The same, and the answer.
    pub(crate) async fn json(&mut self, request: &[u8]) -> Result<Json, Failure> {
        self.succeed(request).await?;
        Ok(serde_json::from_slice(&self.came)?)
    }
}
