//! Cli: every operation as a command, `bellwether NOUN VERB --argument value`, made from the
//! registry. It is a client: it needs a running server and an admin key.

use bellwether_app::{Entry, Method, REGISTRY, arguments, from_text};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use crate::failure::Failure;
use crate::print_json;

/// One command per noun, with a subcommand per verb.
pub(crate) fn commands() -> Vec<Command> {
    let mut nouns: Vec<Command> = Vec::new();
    for entry in REGISTRY {
        let Some((noun, verb)) = entry.name.split_once('.') else { continue };
        let verb = verb_command(entry, verb);
        match nouns.iter().position(|n| n.get_name() == noun) {
            Some(i) => {
                let with = nouns.remove(i).subcommand(verb);
                nouns.insert(i, with);
            }
            None => nouns.push(
                Command::new(noun)
                    .about(format!("Operations named `{noun}.…`, over a running server"))
                    .subcommand_required(true)
                    .arg_required_else_help(true)
                    .subcommand(verb),
            ),
        }
    }
    nouns
}

fn verb_command(entry: &'static Entry, verb: &'static str) -> Command {
    let mut command = Command::new(verb).about(entry.about).arg(server()).arg(key()).arg(
        Arg::new("@body")
            .long("input")
            .value_name("JSON")
            .help("The whole input as JSON, or `-` for standard input"),
    );
    if entry.method != Method::Get {
        command = command.arg(
            Arg::new("@dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Check everything and change nothing"),
        );
    }
    for argument in arguments(entry) {
        // `--key` and `--server` are the connection; an operation's own argument of that name is `--KEY-id`.
        let long = long(&argument.name);
        command = command.arg(Arg::new(argument.name).long(long).value_name("VALUE").help(argument.about));
    }
    command
}

/// `--server`.
pub(crate) fn server() -> Arg {
    Arg::new("@server")
        .long("server")
        .value_name("URL")
        .env("BELLWETHER_SERVER")
        .default_value("http://127.0.0.1:8080")
        .help("Where Bellwether listens")
}

/// `--key`.
pub(crate) fn key() -> Arg {
    Arg::new("@key")
        .long("key")
        .value_name("KEY")
        .env("BELLWETHER_KEY")
        .hide_env_values(true)
        .help("An admin key")
}

/// The server and the admin key that a command was given.
pub(crate) fn connection(matches: &ArgMatches) -> Result<(String, String), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let key = text("@key").ok_or_else(|| {
        Failure::new(
            "no key was given",
            "set BELLWETHER_KEY, or use `--key`, with an admin key from Settings",
        )
    })?;
    Ok((text("@server").unwrap_or_default(), key))
}

/// The option of an argument: dashes for underscores, and no clash with the connection's own.
fn long(name: &str) -> String {
    let dashed = name.replace('_', "-");
    if matches!(dashed.as_str(), "key" | "server" | "input" | "dry-run") {
        format!("{dashed}-id")
    } else {
        dashed
    }
}

/// Calls one operation and prints its answer as JSON.
pub(crate) fn run(noun: &str, matches: &ArgMatches) -> Result<(), Failure> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let name = format!("{noun}.{verb}");
    let entry = bellwether_app::find(&name)
        .ok_or_else(|| Failure::new(format!("there is no operation `{name}`"), "see `bellwether help`"))?;
    let body = match matches.get_one::<String>("@body").map(String::as_str) {
        None => None,
        Some("-") => {
            let text = std::io::read_to_string(std::io::stdin())
                .map_err(|e| Failure::new(format!("standard input cannot be read: {e}"), ""))?;
            Some(parse(&text)?)
        }
        Some(text) => Some(parse(text)?),
    };
    let texts: Vec<(String, String)> = arguments(entry)
        .into_iter()
        .filter_map(|a| matches.get_one::<String>(&a.name).map(|v| (a.name.clone(), v.clone())))
        .collect();
    let input = from_text(entry, &texts, body)?;
    let client = Client::new(matches)?;
    let dry_run = entry.method != Method::Get && matches.get_flag("@dry-run");
    print_json(&client.call(entry, input, dry_run)?);
    Ok(())
}

fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|e| Failure::new(format!("the input is not JSON: {e}"), "send an object"))
}

/// A client of the HTTP API.
pub(crate) struct Client {
    agent: ureq::Agent,
    server: String,
    key: String,
}

impl Client {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let (server, key) = connection(matches)?;
        Ok(Self::at(&server, &key))
    }

    /// A client of a server.
    pub(crate) fn at(server: &str, key: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { agent: config.into(), server: server.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// Calls an operation.
    pub(crate) fn call(&self, entry: &Entry, input: Value, dry_run: bool) -> Result<Value, Failure> {
        let Value::Object(mut fields) = input else {
            return Err(Failure::new("the input is not an object", "send an object"));
        };
        let mut path = String::new();
        for step in entry.path.split('/').skip(1) {
            path.push('/');
            match step.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                None => path.push_str(step),
                Some(name) => {
                    let value = fields.remove(name).ok_or_else(|| {
                        Failure::new(
                            format!("`--{}` is missing", long(name)),
                            format!("`{}` needs it", entry.name),
                        )
                    })?;
                    path.push_str(&escaped(&text_of(&value)));
                }
            }
        }
        let mut query: Vec<String> = if dry_run { vec!["dry_run=true".to_owned()] } else { Vec::new() };
        let in_query = matches!(entry.method, Method::Get | Method::Delete);
        if in_query {
            query.extend(fields.iter().map(|(k, v)| format!("{}={}", escaped(k), escaped(&text_of(v)))));
        }
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{mark}{}", self.server, query.join("&"));
        let key = format!("Bearer {}", self.key);
        let response = match entry.method {
            Method::Get => self.agent.get(&url).header("authorization", &key).call(),
            Method::Delete => self.agent.delete(&url).header("authorization", &key).call(),
            Method::Post => self.agent.post(&url).header("authorization", &key).send_json(&fields),
            Method::Put => self.agent.put(&url).header("authorization", &key).send_json(&fields),
            Method::Patch => self.agent.patch(&url).header("authorization", &key).send_json(&fields),
        };
        let mut response = response.map_err(|e| {
            Failure::new(
                format!("`{}` does not answer: {e}", self.server),
                "start it with `bellwether serve`, or name it with `--server`",
            )
        })?;
        let status = response.status();
        let body: Value = response.body_mut().read_json().map_err(|e| {
            Failure::new(
                format!("`{}` answered `{status}` with what is not JSON: {e}", self.server),
                "is it Bellwether?",
            )
        })?;
        if status.is_success() {
            return Ok(body);
        }
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Err(Failure::new(text("message"), text("hint")))
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Percent-encoding of everything but unreserved characters.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
