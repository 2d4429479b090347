//! Provider: server-sent events, taken apart as they come. What is too long for an event of ours ends
//! the stream; what is none is passed over.

/// The longest line, and the longest data of an event, in bytes.
const LONGEST: usize = 64 << 10;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; empty where it has none.
    pub(crate) name: String,
    /// Its id, if it has one.
    pub(crate) id: String,
    /// Its lines of data.
    pub(crate) data: String,
}

/// More than an event of ours ever is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Makes events of bytes, wherever these are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    begun: bool,
}

impl Parser {
    /// Takes in bytes and gives the events that end in them.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            // A line ends with a line feed, a carriage return, or both.
            if byte == b'\n' && std::mem::take(&mut self.after_return) {
                continue;
            }
            self.after_return = byte == b'\r';
            if matches!(byte, b'\n' | b'\r') {
                events.extend(self.end_line()?);
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            } else {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<Event>, TooLong> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Ok(std::mem::take(&mut self.begun).then_some(event));
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => value.clone_into(&mut self.event.id),
            "data" => {
                if self.event.data.len() + value.len() > LONGEST {
                    return Err(TooLong);
                }
                if self.begun {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.begun = true;
            }
            // A comment, which keeps the connection alive, or a word of another protocol.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(name: &str, id: &str, data: &str) -> Event {
        Event { name: name.into(), id: id.into(), data: data.into() }
    }

    #[test]
    fn events_are_the_same_wherever_they_are_cut() {
        let text = ": quiet\n\nid: a1\nevent: rules\ndata: {\"etag\":\"a1\"}\n\nretry: 5\r\ndata:x\r\ndata: y\r\n\r\nevent: none\n\n";
        let expected = [event("rules", "a1", "{\"etag\":\"a1\"}"), event("", "", "x\ny")];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let cut = text.as_bytes().chunks(size).flat_map(|bytes| parser.feed(bytes).unwrap());
            assert_eq!(cut.collect::<Vec<_>>(), expected, "{size}");
        }
    }

    #[test]
    fn what_never_ends_is_not_kept() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(&[b'x'; LONGEST + 1]), Err(TooLong));
        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1_000], b"\n"].concat();
        assert!((0..100).any(|_| parser.feed(&line).is_err()));
    }
}
