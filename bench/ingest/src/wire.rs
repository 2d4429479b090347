//! Bench of ingest: HTTP/1.1 as a client speaks it, with as little work as may be. One connection carries one
//! request after the other, and its thread waits.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value as Json;

use crate::Failure;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    /// The body of the last answer.
    pub(crate) came: Vec<u8>,
    pub(crate) cookies: Vec<String>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { stream, came: Vec::new(), cookies: Vec::new(), buffer: Vec::with_capacity(4 << 10) })
    }

    /// Sends a request and reads the whole answer; its status.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<u16, Failure> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            self.more()?;
        };
        let head = std::str::from_utf8(self.buffer.get(..end).unwrap_or_default())?;
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("an answer has no status")?;
        let mut length = None;
        let mut cookies = Vec::new();
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse::<usize>()?);
            } else if name.eq_ignore_ascii_case("set-cookie") {
                cookies.push(value.trim().split(';').next().unwrap_or_default().to_owned());
            }
        }
        if !cookies.is_empty() {
            self.cookies = cookies;
        }
        let length = length.ok_or("an answer does not say how long it is")?;
        while self.buffer.len() < end + 4 + length {
            self.more()?;
        }
        self.came.clear();
        self.came.extend_from_slice(self.buffer.get(end + 4..).unwrap_or_default());
        Ok(status)
    }

    fn more(&mut self) -> Result<(), Failure> {
        let mut piece = [0; 4 << 10];
        match self.stream.read(&mut piece)? {
            0 => Err("the server ended a connection".into()),
            read => {
                self.buffer.extend_from_slice(piece.get(..read).unwrap_or_default());
                Ok(())
            }
        }
    }

    /// A call of the API, which must succeed.
    pub(crate) fn json(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Json>,
    ) -> Result<Json, Failure> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.map(Json::to_string).unwrap_or_default();
        if !body.is_empty() {
            request
                .push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        match self.ask(request.as_bytes())? {
            200..300 => Ok(serde_json::from_slice(&self.came)?),
            status => {
                Err(format!("{method} {path}: {status}: {}", String::from_utf8_lossy(&self.came)).into())
            }
        }
    }
}
