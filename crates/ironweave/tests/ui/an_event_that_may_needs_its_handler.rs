include!("support/build.rs");

fn main() {}
