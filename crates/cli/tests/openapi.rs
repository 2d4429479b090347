//! Cli, tests: the OpenAPI document in the tree, from which the page's types and the reference are
//! made, is the one that the binary prints.

use std::path::Path;
use std::process::Command;

#[test]
fn the_document_in_the_tree_is_the_one_that_the_binary_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_bellwether")).arg("openapi").output().unwrap();
    assert!(printed.status.success());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/openapi.json");
    let kept = std::fs::read(kept).unwrap();
    assert!(printed.stdout == kept, "web/openapi.json is out of date\nhint: cargo xtask generate");
}
