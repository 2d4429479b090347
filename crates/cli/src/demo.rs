//! Cli: `bellwether demo`, the product with the history of a simulated shop in it and live traffic.
//! The server runs in this process; everything else goes over its public API.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bellwether_app::Rates;
use bellwether_model::{Millis, Span};
use bellwether_server::{Clock, Proxies};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::link::Link;
use crate::print_line;
use crate::serve::{Options, Ready, serve};
use crate::simulate::drive::{Drive, Plan, Progress};
use crate::simulate::live::{Pace, Past, go_on};

pub(crate) fn command() -> Command {
    Command::new("demo")
        .about("Starts the product with 90 days of a simulated shop's history and live traffic")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value("bellwether-demo")
                .help("Where the demo is kept; one that is there already starts at once"),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:8080")
                .help("Where to listen; port 0 takes any that is free"),
        )
        .arg(
            Arg::new("days")
                .long("days")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=3_650))
                .default_value("90")
                .help("Days of history"),
        )
        .arg(
            Arg::new("events")
                .long("events")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1_000..=1_000_000_000))
                .default_value("1000000")
                .help("About how many events of history"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .value_parser(value_parser!(u64))
                .default_value("1")
                .help("The same seed gives the same shop"),
        )
        .arg(
            Arg::new("live")
                .long("live")
                .value_name("VISITS")
                .value_parser(pace)
                .allow_negative_numbers(true)
                .help("Live visits a minute, 0 for none; as busy as the history at this hour unless given"),
        )
}

/// What is remembered of a demo, beside its data. It holds secrets of a shop that does not exist.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Demo {
    /// Whether the history is complete.
    finished: bool,
    seed: u64,
    start: Millis,
    days: u32,
    visitors_per_day: f64,
    email: String,
    password: String,
    /// Of the live traffic, and for the visitor to try.
    client_key: String,
}

/// How many visits come live, from a number of them a minute.
fn pace(text: &str) -> Result<Pace, String> {
    let visits = text.parse().ok().filter(|visits| (0.0..=60_000.0).contains(visits));
    visits.map(Pace::PerMinute).ok_or_else(|| "a number from 0 to 60000 is needed".to_owned())
}

/// The shop's tracking plan. It does not know one way to pay, so that there is something to see of what does not follow it.
pub(crate) const PLAN: &str = include_str!("demo/plan.json");

const NOTE: &str = "demo.json";
const EMAIL: &str = "demo@bellwether.local";

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let began = Instant::now();
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let data = matches.get_one::<PathBuf>("data").cloned().unwrap_or_default();
    let days = matches.get_one::<u32>("days").copied().unwrap_or(90);
    let live = matches.get_one::<Pace>("live").copied().unwrap_or(Pace::History);
    let listener = crate::serve::bind(&text("listen"))?;
    let found = read(&data)?;
    let _alone = alone(&data)?;
    let kept = found.clone().filter(|demo| demo.finished);
    let demo = match kept {
        Some(demo) => {
            same(&demo, &data, matches)?;
            demo
        }
        None => {
            let demo = Demo {
                finished: false,
                seed: number("seed"),
                start: Clock::wall().now().minus(Span::DAY.times(u64::from(days))),
                days,
                visitors_per_day: crate::simulate::visitors_per_day(number("events"), days),
                email: EMAIL.to_owned(),
                password: password()?,
                client_key: String::new(),
            };
            if found.is_some() {
                // An earlier start was interrupted: what it left is half a history.
                emptied(&data).map_err(|e| unusable(&data, &e))?;
            }
            demo.write(&data)?;
            demo
        }
    };
    let clock = if demo.finished { Clock::wall() } else { Clock::manual(demo.start) };
    // While days pass in a fraction of a second, a part for every five minutes would be thousands.
    let seal_age = (!demo.finished).then(|| Span::DAY.times(10));
    let options = Options {
        data: data.clone(),
        backups: None,
        listener,
        clock,
        seal_age,
        rates: Rates::default(),
        proxies: Proxies::default(),
        new_personal_key: false,
    };

    let stop = Arc::new(AtomicBool::new(false));
    // Whether the demo failed. When the server was told to stop first, that nothing answers is no failure.
    let failed = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&failed);
    let (enough, told) = tokio::sync::oneshot::channel();
    let mut traffic = None;
    let served = serve(
        options,
        async move {
            // Dropped without a word, the traffic has ended by itself and the server goes on.
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
            fails.store(true, Ordering::Relaxed);
        },
        |ready| {
            let (address, setup) = (ready.address.clone(), ready.setup.clone());
            let stop = Arc::clone(&stop);
            traffic = Some(std::thread::spawn(move || {
                let ready = Ready { address, setup };
                let done = host(demo, &data, &ready, live, began, &stop);
                if done.is_err() {
                    let _ = enough.send(());
                }
                done
            }));
        },
    );
    stop.store(true, Ordering::Relaxed);
    let hosted = traffic.map(std::thread::JoinHandle::join);
    served?;
    match hosted {
        None => Ok(()),
        Some(Ok(done)) if failed.load(Ordering::Relaxed) => done,
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(Failure::new("the demo's traffic panicked", "report this as a bug")),
    }
}

/// Fills the server if it is empty, says how to get in, and keeps visits coming.
fn host(
    mut demo: Demo,
    data: &Path,
    ready: &Ready,
    live: Pace,
    began: Instant,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let kept = demo.finished;
    if !kept {
        let admin = first_account(ready, &demo)?;
        let link = Link::new(&ready.address, &admin);
        let tracking: Value = serde_json::from_str(PLAN).map_err(|e| {
            Failure::new(format!("the demo's tracking plan is none: {e}"), "report this as a bug")
        })?;
        link.call("plan.save", json!({"plan": tracking, "why": "what we agreed to send"}), None)?;
        let plan = Plan {
            seed: demo.seed,
            environment: "production".to_owned(),
            until: demo.start.plus(Span::DAY.times(u64::from(demo.days))),
            visitors_per_day: demo.visitors_per_day,
        };
        let mut drive = Drive::new(&link, plan)?;
        let mut told = 0;
        drive.run(&mut |progress| tell(progress, &mut told))?;
        if std::io::stdout().is_terminal() {
            print_line("");
        }
        drive.finish()?;
        let input = json!({"name": "demo: live traffic", "scope": "client", "environment": "production"});
        let key = link.call("key.create", input, None)?;
        demo.client_key = key["secret"].as_str().unwrap_or_default().to_owned();
        link.release()?;
        retire(&link)?;
        demo.finished = true;
        demo.write(data)?;
    }
    let Demo { email, password, client_key, .. } = &demo;
    let address = &ready.address;
    print_line(&format!("ready after {:.0} s: {address}", began.elapsed().as_secs_f64()));
    print_line(&format!("log in as {email} with the password {password}"));
    let place = data.display();
    if kept {
        print_line(&format!("this is the shop that was kept in {place}; to begin anew: rm -r {place}"));
    } else {
        print_line(&format!("it is kept in {place} and starts at once the next time"));
    }
    print_line(&match live {
        Pace::History => {
            "visitors go on coming as in the history: `--live 60` for 60 a minute, `--live 0` for none"
                .to_owned()
        }
        Pace::PerMinute(visits) => format!("{visits} visits a minute go on coming"),
    });
    print_line(&format!(
        "ask for a flag: curl -s {address}/ofrep/v1/evaluate/flags/recommendations -H 'Authorization: Bearer {client_key}' -d '{{\"context\":{{\"targetingKey\":\"you\"}}}}'"
    ));
    if live != Pace::PerMinute(0.0) {
        let past = Past {
            seed: demo.seed,
            start: demo.start,
            days: demo.days,
            visitors_per_day: demo.visitors_per_day,
        };
        go_on(&Link::new(address, ""), client_key, past, live, stop);
    }
    Ok(())
}

fn tell(progress: Progress, told: &mut u64) {
    let Progress { day, days, events } = progress;
    if day <= *told {
        return;
    }
    *told = day;
    let line = format!("living through day {day} of {days}: {events} events");
    if std::io::stdout().is_terminal() {
        let mut out = std::io::stdout().lock();
        let _ = write!(out, "\r{line}").and_then(|()| out.flush());
    } else if day.is_multiple_of(10) || day == days {
        print_line(&line);
    }
}

/// Makes the first account and, in its name, the admin key that the simulation works with.
fn first_account(ready: &Ready, demo: &Demo) -> Result<String, Failure> {
    let token = ready.setup.as_deref().and_then(|link| link.split_once("token=")).map(|(_, token)| token);
    let token = token.ok_or_else(|| {
        Failure::new("the server has an account already", "choose an empty directory with `--data`")
    })?;
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let failed = |e: ureq::Error| Failure::new(format!("the server does not answer: {e}"), "try again");
    let setup = json!({"token": token, "email": demo.email, "name": "Demo", "password": demo.password});
    let mut reply = agent.post(format!("{}/api/setup", ready.address)).send_json(setup).map_err(failed)?;
    let cookie = reply.headers().get("set-cookie").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let login: Value = reply.body_mut().read_json().map_err(failed)?;
    let mut reply = agent
        .post(format!("{}/api/keys", ready.address))
        .header("cookie", &cookie)
        .header("x-csrf-token", login["csrf"].as_str().unwrap_or_default())
        .send_json(json!({"name": ADMIN, "scope": "admin"}))
        .map_err(failed)?;
    let key: Value = reply.body_mut().read_json().map_err(failed)?;
    key["secret"].as_str().map(str::to_owned).ok_or_else(|| {
        let said = key["message"].as_str().or(login["message"].as_str()).unwrap_or("no reason was given");
        Failure::new(format!("the first account could not be made: {said}"), "report this as a bug")
    })
}

const ADMIN: &str = "demo: history";

/// The admin key has done its work.
fn retire(link: &Link) -> Result<(), Failure> {
    let keys = link.call("key.list", json!({}), None)?;
    let own = keys["keys"].as_array().into_iter().flatten().find(|key| key["name"] == ADMIN);
    if let Some(id) = own.and_then(|key| key["id"].as_str()) {
        link.call("key.revoke", json!({"key": id}), None)?;
    }
    Ok(())
}

/// Holds the directory for this process: nobody else empties it or serves from it meanwhile.
fn alone(data: &Path) -> Result<std::fs::File, Failure> {
    if data.join(NOTE).is_file() {
        use std::os::unix::fs::PermissionsExt;
        // One that an older version made.
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| unusable(data, &e))?;
    }
    crate::serve::make_private(data).map_err(|e| unusable(data, &e))?;
    let directory = std::fs::File::open(data).map_err(|e| unusable(data, &e))?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(std::fs::TryLockError::WouldBlock) => Err(Failure::new(
            format!("a demo runs in `{}` already", data.display()),
            "use that one, or stop it first",
        )),
        Err(std::fs::TryLockError::Error(e)) => Err(unusable(data, &e)),
    }
}

/// Removes what is in a directory, and not the directory.
fn emptied(data: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}

/// Refuses to pass off a demo that is kept as another that is asked for.
fn same(demo: &Demo, data: &Path, matches: &ArgMatches) -> Result<(), Failure> {
    let asked = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    let events = matches.get_one::<u64>("events").copied().unwrap_or_default();
    let rate = crate::simulate::visitors_per_day(events, demo.days);
    let other = [
        ("days", matches.get_one::<u32>("days") != Some(&demo.days)),
        ("seed", matches.get_one::<u64>("seed") != Some(&demo.seed)),
        ("events", (rate / demo.visitors_per_day - 1.0).abs() > 1e-9),
    ];
    match other.into_iter().find(|(name, differs)| *differs && asked(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Failure::new(
            format!("the demo in `{}` was made with another `--{name}`", data.display()),
            format!("leave `--{name}` out to start it, or remove the directory to make another"),
        )),
    }
}

fn unusable(data: &Path, e: &std::io::Error) -> Failure {
    Failure::new(
        format!("`{}` cannot be used: {e}", data.display()),
        "choose another directory with `--data`",
    )
}

/// The demo in a directory; `None` if there is nothing there.
fn read(data: &Path) -> Result<Option<Demo>, Failure> {
    match std::fs::read(data.join(NOTE)) {
        Ok(note) => serde_json::from_slice(&note).map(Some).map_err(|e| {
            Failure::new(
                format!("`{}` is not what a demo writes: {e}", data.join(NOTE).display()),
                "choose another directory with `--data`, or remove this one",
            )
        }),
        Err(_) => match std::fs::read_dir(data).map(|mut entries| entries.next().is_some()) {
            Ok(true) => Err(Failure::new(
                format!("`{}` holds something that is not a demo", data.display()),
                "choose an empty directory with `--data`",
            )),
            Ok(false) | Err(_) => Ok(None),
        },
    }
}

impl Demo {
    fn write(&self, data: &Path) -> Result<(), Failure> {
        use std::os::unix::fs::OpenOptionsExt;
        let text = serde_json::to_string_pretty(self).map_err(|e| Failure::new(e.to_string(), ""))?;
        let write = || {
            let mut options = std::fs::OpenOptions::new();
            // Readable by its owner alone: it holds a password.
            options.create(true).truncate(true).write(true).mode(0o600);
            options.open(data.join(NOTE))?.write_all(text.as_bytes())
        };
        write().map_err(|e| unusable(data, &e))
    }
}

/// Letters that are easily told apart: 16 of 32, 80 bits.
fn password() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::new(format!("the system gives no random bytes: {e}"), "try again"))?;
    let letter = |b: &u8| LETTERS.get(usize::from(*b % 32)).map(|&l| char::from(l));
    Ok(bytes.iter().filter_map(letter).collect())
}
