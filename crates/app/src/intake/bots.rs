//! App intake: programs among those who come. Their events are kept and marked with the property `$bot`; questions leave
//! them out and say how many they were.
//!
//! Two things give a program away: what its browser calls itself (a list that others keep, `iscrawl`), and its pace. The
//! marks say which, because the second depends on what somebody does, so that experiments must not go by it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::event::{ASSIGNMENT, BOT, BY_AGENT, BY_PACE, EXPOSURE, Who, is_active};
use bellwether_model::{EnvironmentKey, Event, Json};

use super::keyed::{Keyed, Table};

/// Whether whoever sends this `User-Agent` is a program, and not a person's browser or app.
pub(crate) fn calls_itself_bot(agent: &str) -> bool {
    iscrawl::crawler_info(agent).is_some()
}

/// The same of a request's header. Of requests by programs of ours or our customers (an SDK on a server, an app) it says
/// nothing about whom they speak of: it counts where it is a browser's, whose person it is.
pub(crate) fn browser_is_bot(header: Option<&str>) -> bool {
    header.is_some_and(|agent| agent.starts_with("Mozilla/") && calls_itself_bot(agent))
}

/// What the senders of one request call themselves.
pub(super) struct Agents {
    by_header: bool,
    /// The last of those that events name: of most requests there is one.
    last: RefCell<(String, bool)>,
}

impl Agents {
    pub(super) fn of(header: Option<&str>) -> Self {
        Self { by_header: browser_is_bot(header), last: RefCell::default() }
    }

    /// Marks an event of a program. What an event says itself counts for more than how it came.
    pub(super) fn mark(&self, event: &mut Event) {
        let bot = match event.user_properties.get("user_agent").and_then(Json::as_str) {
            Some(agent) if !agent.is_empty() => {
                let mut last = self.last.borrow_mut();
                if last.0 != agent {
                    *last = (agent.to_owned(), calls_itself_bot(agent));
                }
                last.1
            }
            _ => self.by_header,
        };
        if bot {
            event.properties.entry(BOT).or_insert_with(|| BY_AGENT.into());
        }
    }
}

/// How many users, and devices, are watched at once; past it those are forgotten whose last minute is the oldest.
const MOST_WATCHED: usize = 100_000;
/// So long after a minute that was too fast is somebody held for a program.
const HELD: i64 = 24 * 60;
/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// How fast everybody is, by the times of their events and not by when these came: what an app kept for a day comes at
/// once.
#[derive(Debug)]
pub(crate) struct Paces {
    /// More than so many events in a minute are a program's; 0: none are.
    most: u32,
    keyed: Keyed,
    watched: Mutex<BTreeMap<EnvironmentKey, Watched>>,
}

/// Who comes to one environment: users, and devices without one.
#[derive(Debug, Default)]
struct Watched {
    users: Table<Pace>,
    devices: Table<Pace>,
}

/// What is known of one of them.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// The newest minute of an event, since 1970.
    minute: i64,
    /// Events in it.
    events: u32,
    /// The last minute that was too fast.
    fast: Option<i64>,
}

impl Paces {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, keyed: Keyed::default(), watched: Mutex::default() }
    }

    /// Marks what comes of somebody who is too fast: from the event that was one too many, and for a day. Exposures,
    /// assignments and what is told of people are not counted: nobody does them.
    pub(super) fn mark(&self, events: &mut [Event]) {
        if self.most == 0 {
            return;
        }
        // Before the lock is taken.
        let keys: Vec<u64> = events.iter().map(|event| self.keyed.of(unit(&event.who).1)).collect();
        let mut environments = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for (event, key) in events.iter_mut().zip(keys) {
            let watched = match environments.get_mut(&event.environment) {
                Some(watched) => watched,
                None => environments.entry(event.environment.clone()).or_default(),
            };
            // What is dated in the future happened when it came at the latest, or it would hide all that follows.
            let minute = event.time.min(event.received).0.div_euclid(MINUTE);
            let counts = is_active(&event.event);
            if !counts && !matches!(event.event.as_str(), EXPOSURE | ASSIGNMENT) {
                continue;
            }
            let fast = watched.watch(&event.who, key, |pace| {
                if counts {
                    pace.count(minute, self.most);
                }
                pace.fast
            });
            if fast.is_some_and(|fast| (fast..=fast + HELD).contains(&minute)) {
                event.properties.entry(BOT).or_insert_with(|| BY_PACE.into());
            }
        }
        for watched in environments.values_mut() {
            forget(&mut watched.users);
            forget(&mut watched.devices);
        }
    }
}

impl Watched {
    /// What `see` makes of somebody, whose id has this key.
    fn watch<T>(&mut self, who: &Who, key: u64, see: impl FnOnce(&mut Pace) -> T) -> T {
        let table = if unit(who).0 { &mut self.users } else { &mut self.devices };
        see(table.entry(key).or_insert(Pace { minute: i64::MIN, events: 0, fast: None }))
    }
}

/// Who is watched: whether it is a user, and the id.
fn unit(who: &Who) -> (bool, &str) {
    who.user().map_or_else(|| (false, who.device().unwrap_or_default()), |user| (true, user))
}

impl Pace {
    /// Another event. What comes late is of a minute that is not counted any more.
    fn count(&mut self, minute: i64, most: u32) {
        if minute > self.minute {
            (self.minute, self.events) = (minute, 0);
        }
        if minute == self.minute {
            self.events = self.events.saturating_add(1);
            if self.events > most {
                self.fast = Some(minute);
            }
        }
    }
}

/// Keeps a table within its bound.
fn forget(table: &mut Table<Pace>) {
    if table.len() <= MOST_WATCHED {
        return;
    }
    // Whoever was found out is not forgotten for being quiet, unless it is more than half.
    let mut ranks: Vec<(bool, i64)> = table.values().map(|pace| (pace.fast.is_some(), pace.minute)).collect();
    let middle = ranks.len() / 2;
    let (_, &mut middle, _) = ranks.select_nth_unstable(middle);
    let mut room = MOST_WATCHED / 2;
    // Above the middle first: of those at it, which may be all, as many as there is room for.
    room -= ranks.iter().filter(|rank| **rank > middle).count().min(room);
    table.retain(|_, pace| match (pace.fast.is_some(), pace.minute).cmp(&middle) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => {
            let stays = room > 0;
            room -= usize::from(stays);
            stays
        }
        std::cmp::Ordering::Less => false,
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bellwether_model::Millis;

    fn event(user: &str, time: i64, name: &str) -> Event {
        Event {
            environment: "production".parse().unwrap(),
            event: name.into(),
            who: Who::User(user.into()),
            time: Millis(time),
            received: Millis(time),
            insert_id: None,
            session: None,
            properties: Default::default(),
            user_properties: Default::default(),
            groups: Default::default(),
            group_properties: Default::default(),
            user_changes: Default::default(),
            group_changes: Default::default(),
            revision: None,
        }
    }

    #[test]
    fn browsers_apps_and_servers_are_told_from_crawlers() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
        let people = [
            chrome,
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/117.0",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS]",
            // A telephone's name.
            "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0.0.0 Mobile Safari/537.36",
            "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A.230901.001)",
            "MyApp/1.0 CFNetwork/1408.0.4 Darwin/22.5.0",
        ];
        let programs = [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.1; +https://openai.com/gptbot",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        ];
        for agent in people {
            assert!(!calls_itself_bot(agent), "{agent}");
        }
        for agent in programs {
            assert!(calls_itself_bot(agent), "{agent}");
        }
        // A server speaks of people, whatever speaks for it.
        assert!(
            calls_itself_bot("python-requests/2.31.0") && !browser_is_bot(Some("python-requests/2.31.0"))
        );
        assert!(browser_is_bot(Some(programs[0])) && !browser_is_bot(Some(chrome)) && !browser_is_bot(None));
    }

    #[test]
    fn an_event_says_more_than_the_request_that_it_came_by() {
        let crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        let marked = |header: &str, agent: Option<&str>| {
            let mut event = event("u", 0, "visit");
            if let Some(agent) = agent {
                event.user_properties.insert("user_agent".into(), agent.into());
            }
            Agents::of(Some(header)).mark(&mut event);
            event.properties.get(BOT).cloned()
        };
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0";
        assert_eq!(marked(firefox, None), None);
        assert_eq!(marked(crawler, None), Some(BY_AGENT.into()));
        assert_eq!(marked(firefox, Some(crawler)), Some(BY_AGENT.into()));
        assert_eq!(marked(crawler, Some(firefox)), None);
    }

    #[test]
    fn whoever_is_too_fast_is_marked_from_then_on_for_a_day_and_nobody_else() {
        let paces = Paces::new(10);
        let mut events: Vec<Event> = (0..15).map(|i| event("fast", i * 100, "tap")).collect();
        events.extend((0..15).map(|i| event("slow", i * 6_001, "tap")));
        // What it did not do does not count, and is marked where it is an exposure.
        events.extend((0..20).map(|i| event("told", i, "$identify")));
        events.push(event("fast", 1_600, "$exposure"));
        // A minute and a day later; and what lay a day on a telephone.
        events.push(event("fast", 24 * 60 * MINUTE + 1, "tap"));
        events.push(event("fast", (24 * 60 + 1) * MINUTE, "tap"));
        events.push(event("fast", -1, "tap"));
        paces.mark(&mut events);
        let marked: Vec<usize> =
            (0..events.len()).filter(|&i| events[i].properties.contains_key(BOT)).collect();
        assert_eq!(marked, [10, 11, 12, 13, 14, 50, 51]);
        assert_eq!(events[10].properties[BOT], BY_PACE);

        let mut dated = event("hides", 0, "tap");
        dated.time = Millis(i64::MAX / 2);
        let mut hides: Vec<Event> = vec![dated];
        hides.extend((0..15).map(|i| event("hides", i, "tap")));
        paces.mark(&mut hides);
        assert_eq!(hides.iter().filter(|event| event.properties.contains_key(BOT)).count(), 6);

        let mut off: Vec<Event> = (0..50).map(|_| event("fast", 0, "tap")).collect();
        Paces::new(0).mark(&mut off);
        assert!(off.iter().all(|event| event.properties.is_empty()));
    }

    #[test]
    fn what_is_watched_is_bounded_and_who_was_found_out_is_not_forgotten() {
        let paces = Paces::new(1);
        let mut fast: Vec<Event> = (0..2).map(|_| event("fast", 0, "tap")).collect();
        paces.mark(&mut fast);
        for round in 0..5 {
            let mut crowd: Vec<Event> =
                (0..50_000).map(|i| event(&format!("u{round}-{i}"), round * MINUTE, "tap")).collect();
            paces.mark(&mut crowd);
            let watched = paces.watched.lock().unwrap();
            assert!(watched.values().all(|watched| watched.users.len() <= MOST_WATCHED));
        }
        let mut again = [event("fast", 10 * MINUTE, "tap")];
        paces.mark(&mut again);
        assert_eq!(again[0].properties[BOT], BY_PACE);
    }
}
