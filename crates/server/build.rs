//! Server: the page is embedded at build time, so a newly built page is a reason to build again.

fn main() {
    println!("cargo:rerun-if-changed=../../web/dist");
}
