//! Bench of ingest: the events. The same number makes the same events, so that the server and the peer are given the
//! same rows.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

/// Users; each has one device.
const USERS: u64 = 100_000;
/// Event types, the first the most frequent.
const TYPES: u64 = 30;
/// Pages of the site.
const PAGES: u64 = 2_000;
/// Where time begins: 1 November 2026.
const BEGIN: u64 = 1_793_491_200_000;

/// Numbers that look random: SplitMix64.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// Small ones often: the smallest is about `n` to the power of `bend` times as frequent as the largest.
    fn often(&mut self, n: u64, bend: f64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((uniform.powf(bend) * n as f64) as u64).min(n - 1)
    }
}

/// A list of events as a body carries it, and where in it is what differs each time it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// `{"api_key":"` is before it, and the key.
    pub(crate) text: String,
    /// Where the UUID of each event begins.
    ids: Vec<u32>,
    /// How many bytes further its time ends.
    times: Vec<u32>,
    pub(crate) events: u64,
    first: u64,
}

/// So many events, in bodies of so many.
pub(crate) fn bodies(events: u64, each: u64, seed: u64) -> Vec<Body> {
    let mut random = Random(seed);
    let mut made = Vec::new();
    let mut first = 0;
    while first < events {
        let count = each.min(events - first);
        let mut body =
            Body { text: "\",\"events\":[".into(), ids: vec![], times: vec![], events: count, first };
        for at in 0..count {
            if at > 0 {
                body.text.push(',');
            }
            event(&mut body, &mut random);
        }
        body.text.push_str("]}");
        body.send_as(0);
        made.push(body);
        first += count;
    }
    made
}

/// An event with ten properties, six of it and four of its device and place, as Amplitude's SDKs write it.
fn event(body: &mut Body, random: &mut Random) {
    let user = random.often(USERS, 1.2);
    let mut of_user = Random(user ^ 0x5bd1_e995);
    let (high, low) = (of_user.next(), of_user.next());
    let platform = ["Web", "Web", "Web", "iOS", "Android"][of_user.below(5) as usize];
    let os = ["Windows", "macOS", "Linux", "iOS", "Android"][of_user.below(5) as usize];
    let country = of_user.often(50, 2.0);
    let language = ["English", "German", "French", "Spanish"][of_user.often(4, 1.5) as usize];
    let plan = ["free", "free", "pro", "team"][of_user.below(4) as usize];
    let (kind, page, session) =
        (random.often(TYPES, 2.0), random.often(PAGES, 2.5), BEGIN + random.below(720) * 3_600_000);
    let text = &mut body.text;
    // What is written into a string is written.
    let _ = write!(text, "{{\"user_id\":\"user-{user:07}\",\"device_id\":\"");
    uuid(text, high, low);
    let _ = write!(text, "\",\"event_type\":\"{}\",\"time\":", NAMES[kind as usize % NAMES.len()]);
    text.push_str("0000000000000");
    body.times.push(text.len() as u32);
    text.push_str(",\"insert_id\":\"");
    body.ids.push(text.len() as u32);
    text.push_str("00000000-0000-0000-0000-000000000000");
    let _ = write!(
        text,
        "\",\"session_id\":{session},\"platform\":\"{platform}\",\"os_name\":\"{os}\",\"country\":\"Country {country}\",\"language\":\"{language}\",\"event_properties\":{{\"page\":\"/shop/category-{}/item-{page}\",\"plan\":\"{plan}\",\"position\":{},\"duration\":{}.{:02},\"logged_in\":{},\"referrer\":\"https://site-{}.example/\"}}}}",
        page % 40,
        random.below(50),
        random.below(300),
        random.below(100),
        random.below(3) > 0,
        random.often(60, 3.0),
    );
}

/// The tracking plan of these events: every type, every property with what it holds, one of them personal, which is
/// stored as a keyed hash. What does not follow it is kept apart and so would be missing when events are counted.
pub(crate) fn plan(environment: &str) -> Json {
    let property = |kind: &str| json!({"type": kind, "required": true});
    let properties = json!({
        "page": property("string"), "position": property("integer"), "duration": property("number"),
        "logged_in": property("boolean"),
        "plan": {"type": "string", "required": true, "values": ["free", "pro", "team"]},
        "referrer": {"type": "string", "required": true, "personal": true},
    });
    let events: serde_json::Map<String, Json> =
        NAMES.iter().map(|name| ((*name).to_owned(), json!({"properties": properties}))).collect();
    let apart = "quarantine";
    let handling = json!({"unplanned_events": apart, "unplanned_properties": apart, "invalid": apart, "personal": "hash"});
    json!({"events": events, "rules": {"environments": {environment: handling}}})
}

const NAMES: [&str; TYPES as usize] = [
    "page_viewed",
    "item_viewed",
    "button_clicked",
    "search_made",
    "cart_changed",
    "list_scrolled",
    "video_played",
    "item_shared",
    "filter_set",
    "image_zoomed",
    "review_read",
    "coupon_seen",
    "checkout_begun",
    "address_given",
    "payment_chosen",
    "order_placed",
    "signed_up",
    "signed_in",
    "signed_out",
    "profile_changed",
    "wish_added",
    "wish_removed",
    "help_opened",
    "chat_begun",
    "chat_ended",
    "letter_ordered",
    "letter_ended",
    "app_opened",
    "app_closed",
    "error_seen",
];

fn uuid(text: &mut String, high: u64, low: u64) {
    let _ = write!(
        text,
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    );
}

impl Body {
    /// Gives each event the id and the time of the so-many-eth sending, in a text of this body.
    fn patch(&self, text: &mut [u8], sending: u64) {
        let mut written = String::with_capacity(36);
        for (at, (&id, &time)) in self.ids.iter().zip(&self.times).enumerate() {
            let number = self.first + at as u64;
            let mut random = Random((sending << 40) ^ number);
            written.clear();
            uuid(&mut written, random.next(), random.next());
            let id = id as usize;
            if let Some(place) = text.get_mut(id..id + 36) {
                place.copy_from_slice(written.as_bytes());
            }
            written.clear();
            // Ten events a second, so that a million events are a day.
            let _ =
                write!(written, "{:013}", BEGIN + (sending << 32) / 40 + number * 86 + random.below(5_000));
            let time = time as usize;
            if let Some(place) = text.get_mut(time - 13..time) {
                place.copy_from_slice(written.as_bytes());
            }
        }
    }

    fn send_as(&mut self, sending: u64) {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        self.patch(&mut bytes, sending);
        self.text = String::from_utf8(bytes).unwrap_or_default();
    }

    /// Appends the body as it is sent the so-many-eth time.
    pub(crate) fn write(&self, into: &mut Vec<u8>, sending: u64) {
        let begin = into.len();
        into.extend_from_slice(self.text.as_bytes());
        if sending > 0 {
            self.patch(into.get_mut(begin..).unwrap_or_default(), sending);
        }
    }

    /// The events of the first sending, one object to a line.
    pub(crate) fn lines(&self, into: &mut Vec<u8>) {
        let list = self.text.trim_start_matches("\",\"events\":[").trim_end_matches("]}");
        into.extend_from_slice(list.replace("},{\"user_id\"", "}\n{\"user_id\"").as_bytes());
        into.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sending_is_json_with_other_ids() -> Result<(), Box<dyn std::error::Error>> {
        let made = bodies(250, 100, 7);
        assert_eq!(made.iter().map(|b| b.events).collect::<Vec<_>>(), [100, 100, 50]);
        let mut ids = std::collections::BTreeSet::new();
        for (body, sending) in made.iter().flat_map(|b| [(b, 0), (b, 1), (b, 2)]) {
            let mut text = b"{\"api_key\":\"".to_vec();
            body.write(&mut text, sending);
            let read: serde_json::Value = serde_json::from_slice(&text)?;
            let list = read["events"].as_array().ok_or("a list")?;
            assert_eq!(list.len() as u64, body.events);
            for event in list {
                assert!(event["time"].as_u64() > Some(BEGIN));
                assert!(ids.insert(event["insert_id"].to_string()), "an id twice");
            }
        }
        assert_eq!(ids.len(), 750);
        let mut lines = Vec::new();
        made.iter().for_each(|body| body.lines(&mut lines));
        let lines = String::from_utf8(lines)?;
        assert_eq!(lines.lines().count(), 250);
        for line in lines.lines() {
            let read: serde_json::Value = serde_json::from_str(line)?;
            assert_eq!(read["event_properties"].as_object().map(|p| p.len()), Some(6));
        }
        Ok(())
    }
}
