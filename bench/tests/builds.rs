//! The benchmark of builds runs, whatever is installed beside databuild.

use std::process::Command;

#[test]
fn a_small_pipeline_is_built_by_databuild_and_by_what_is_installed() {
    let scratch = std::env::temp_dir().join(format!("ironweave-builds-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ironweave-bench"))
        .args(["--only", "builds", "--entities", "105", "--samples", "1"])
        .args(["--no-install", "--scratch"])
        .arg(&scratch)
        .output();
    std::fs::remove_dir_all(&scratch).unwrap();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    for figure in [
        "databuild_cold",
        "databuild_noop",
        "databuild_changed",
        "status",
        "history",
    ] {
        assert!(text.contains(figure), "no `{figure}` in {text}");
    }
    for tool in ["make", "ninja", "luigi"] {
        let (measured, left_out) = (format!("{tool}_cold"), format!("{tool} is not installed"));
        assert!(
            text.contains(&measured) != text.contains(&left_out),
            "{tool}: {text}"
        );
    }
}
