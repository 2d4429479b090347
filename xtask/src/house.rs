//! Xtask: the house as it is described and as it is. The description is the table of rooms in
//! `ARCHITECTURE.md`, the only place where the rules about rooms are written down.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The workspace and its description.
pub(crate) struct House {
    pub(crate) root: PathBuf,
    pub(crate) rooms: Vec<Room>,
    pub(crate) metadata: Metadata,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Room {
    /// Such as `libs/model`.
    pub(crate) folder: String,
    /// What it is, in one line.
    pub(crate) sentence: String,
    pub(crate) may_use: Vec<Arrow>,
    /// What it must never know, a word each.
    pub(crate) never: Vec<String>,
}

/// A room that another may use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arrow {
    /// Such as `model`.
    pub(crate) room: String,
    /// The only names that may be used of it; all if empty.
    pub(crate) only: Vec<String>,
}

impl Room {
    /// The last part of the folder: what other rows call it.
    pub(crate) fn name(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or(&self.folder)
    }

    pub(crate) fn package(&self) -> String {
        format!("bellwether-{}", self.name())
    }

    /// The sentence that a complaint about this room ends with.
    pub(crate) fn says(&self) -> String {
        let allowed: Vec<&str> = self.may_use.iter().map(|a| a.room.as_str()).collect();
        let allowed = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
        format!("`{}` is \"{}\" and may use {allowed}", self.folder, self.sentence)
    }
}

impl House {
    /// Reads the description and asks cargo what there is, without the network.
    pub(crate) fn open() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().map_err(|e| format!("the workspace cannot be found: {e}"))?;
        let text = read(&root, "ARCHITECTURE.md")?;
        let rooms = rooms(&text)?;
        // For this platform only: what others would compile need not have been fetched.
        let host = host()?;
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .other_options(["--locked", "--offline", "--filter-platform", &host].map(str::to_owned))
            .exec()
            .map_err(|e| format!("cargo metadata: {e}"))?;
        Ok(Self { root, rooms, metadata })
    }

    /// The rooms with their packages.
    pub(crate) fn packages(&self) -> impl Iterator<Item = (&Room, &Package)> {
        let ours = self.metadata.workspace_packages();
        self.rooms.iter().filter_map(move |room| {
            let package = ours.iter().find(|p| p.name.as_str() == room.package())?;
            Some((room, *package))
        })
    }

    /// The files below a folder that end in one of `endings`, as paths from the root, in order.
    pub(crate) fn files(&self, folder: &str, endings: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.root, &self.root.join(folder), &mut found);
        found.retain(|path| endings.iter().any(|e| path.ends_with(e)));
        found.sort();
        found
    }

    pub(crate) fn read(&self, path: &str) -> String {
        read(&self.root, path).unwrap_or_default()
    }
}

/// What git ignores, and git itself.
const NOT_OURS: &[&str] = &["target", "node_modules", "dist", ".git", ".venv", "__pycache__"];

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, found);
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(path)).map_err(|e| format!("`{path}` cannot be read: {e}"))
}

fn host() -> Result<String, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let said = std::process::Command::new(rustc).arg("-vV").output().map_err(|e| format!("rustc: {e}"))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}

/// The rows of the first table whose first column is `room`.
pub(crate) fn rooms(text: &str) -> Result<Vec<Room>, String> {
    let mut rows = text.lines().skip_while(|line| !line.starts_with("| room |"));
    let head = rows.next().map(cells).ok_or("ARCHITECTURE.md has no table of rooms")?;
    if head != ["room", "one line", "may use", "must never know"] {
        return Err(format!("the columns of the table of rooms are `{head:?}`"));
    }
    let rows = rows.skip(1).take_while(|line| line.starts_with('|')).map(cells);
    rows.map(|row| match row.as_slice() {
        [folder, sentence, may_use, never] => Ok(Room {
            folder: folder.trim_end_matches(" (dev)").trim_matches('`').to_owned(),
            sentence: sentence.clone(),
            may_use: arrows(may_use),
            never: list(never),
        }),
        other => Err(format!("a row of the table of rooms has {} columns: {other:?}", other.len())),
    })
    .collect()
}

pub(crate) fn cells(line: &str) -> Vec<String> {
    line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn list(cell: &str) -> Vec<String> {
    cell.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn arrows(cell: &str) -> Vec<Arrow> {
    if cell == "nothing of ours" {
        return Vec::new();
    }
    let arrow = |part: String| {
        let (room, only) = part.split_once(" (").unwrap_or((&part, ""));
        let only = only.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Arrow { room: room.to_owned(), only }
    };
    list(cell).into_iter().map(arrow).collect()
}

/// The table and the workspace name the same rooms, at the same place.
pub(crate) fn check(house: &House) -> Vec<String> {
    let packages: Vec<(String, String)> = house
        .metadata
        .workspace_packages()
        .iter()
        .map(|p| {
            let folder = p.manifest_path.parent().map(|f| f.as_std_path().to_owned()).unwrap_or_default();
            let folder = folder.strip_prefix(&house.root).unwrap_or(&folder).to_string_lossy().into_owned();
            (folder, p.name.to_string())
        })
        .collect();
    compare(&house.rooms, &packages)
}

fn compare(rooms: &[Room], packages: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, name) in packages {
        match rooms.iter().find(|room| room.folder == *folder) {
            None => found.push(format!("`{folder}` is not in the table of rooms of ARCHITECTURE.md")),
            Some(room) if room.package() != *name => {
                found
                    .push(format!("the package of `{folder}` is `{name}`, and must be `{}`", room.package()));
            }
            Some(_) => {}
        }
    }
    for room in rooms {
        if !packages.iter().any(|(folder, _)| *folder == room.folder) {
            found.push(format!("`{}` is in the table of rooms and does not exist", room.folder));
        }
        for arrow in &room.may_use {
            if !rooms.iter().any(|r| r.name() == arrow.room) {
                found.push(format!("`{}` may use `{}`, which is no room", room.folder, arrow.room));
            }
        }
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TABLE: &str = "\
Some words.

| room | one line | may use | must never know |
|---|---|---|---|
| `libs/model` | the words | nothing of ours | clock, I/O |
| `libs/stats` | numbers | nothing of ours | |
| `crates/query` | questions | model, stats (`Moments` only) | store, clock |
| `xtask` (dev) | the rules | nothing of ours | |

| other | table |
";

    #[test]
    fn the_table_is_read() {
        let rooms = rooms(TABLE).unwrap();
        assert_eq!(rooms.iter().map(Room::name).collect::<Vec<_>>(), ["model", "stats", "query", "xtask"]);
        let query = &rooms[2];
        assert_eq!(query.package(), "bellwether-query");
        assert_eq!(query.never, ["store", "clock"]);
        assert_eq!(query.may_use[1], Arrow { room: "stats".into(), only: vec!["Moments".into()] });
        assert_eq!(rooms[3].folder, "xtask");
    }

    #[test]
    fn a_room_without_a_row_and_a_row_without_a_room_are_noticed() {
        let mut rooms = rooms(TABLE).unwrap();
        let mut packages: Vec<(String, String)> =
            rooms.iter().map(|r| (r.folder.clone(), r.package())).collect();
        assert!(compare(&rooms, &packages).is_empty());
        packages.push(("crates/attic".into(), "bellwether-attic".into()));
        packages[0].1 = "model".into();
        packages.remove(1);
        rooms[2].may_use.push(Arrow { room: "cellar".into(), only: Vec::new() });
        assert_eq!(
            compare(&rooms, &packages),
            [
                "the package of `libs/model` is `model`, and must be `bellwether-model`",
                "`crates/attic` is not in the table of rooms of ARCHITECTURE.md",
                "`libs/stats` is in the table of rooms and does not exist",
                "`crates/query` may use `cellar`, which is no room",
            ]
        );
    }
}
