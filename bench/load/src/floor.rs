//! Bench of load: a server that evaluates nothing. It reads a request and answers a text of the length that its
//! path asks for, so that what generator and system take is known.

use std::io::Write as _;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Failure;

/// What makes this program such a server.
pub(crate) const ARGUMENT: &str = "--fixed";

/// Says its address and serves until the process ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(answers(stream));
    }
}

/// Answers whole requests until the client goes; anything that it does not understand ends the connection.
async fn answers(mut stream: TcpStream) -> Option<()> {
    let mut came = Vec::with_capacity(4 << 10);
    let mut answer = Vec::new();
    loop {
        while stream.read_buf(&mut came).await.ok()? > 0 {
            let mut room = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut room);
            let httparse::Status::Complete(head) = request.parse(&came).ok()? else { continue };
            let length = request.headers.iter().find(|header| header.name == "content-length")?;
            let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
            if came.len() < head + length {
                continue;
            }
            let bytes: usize = request.path?.strip_prefix('/')?.parse().ok()?;
            answer.clear();
            answer.extend(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").bytes());
            answer.resize(answer.len() + bytes, b'x');
            came.clear();
            stream.write_all(&answer).await.ok()?;
        }
        return None;
    }
}
