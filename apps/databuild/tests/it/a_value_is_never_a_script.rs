//! Names and paths in the command of a job are values: no shell expands them, whatever they contain.

use crate::support::{Place, Seen};

#[test]
fn a_name_is_not_read_by_a_shell() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = '**'\n\
         command = ['sh', '-c', 'echo $PARTITION > name; echo \"$1\" > argument', 'x', '$PARTITION']\n",
    );
    for name in ["~root/x", "x=~root", "a/-n", "%s@1+1,2"] {
        place.run(&[name]).success();
        for file in ["name", "argument"] {
            assert_eq!(
                place.read(&format!("out/data/{name}/{file}")),
                format!("{name}\n")
            );
        }
    }
}

#[test]
fn a_path_is_not_read_by_a_shell() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\n\
         command = ['sh', '-c', 'printf %s \"$DATABUILD_DATA\" > one; printf %s \"$1\" > two', 'x', '$DATABUILD_DATA']\n",
    );
    let dir = "it's \"here\" $(touch harm) `touch harm` ; touch harm";
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_databuild"));
    command.args(["run", "--jobs", "jobs.toml", "want", "a", "--dir", dir]);
    command.current_dir(place.path(""));
    Seen::of(command.output().unwrap()).success();
    let data = place.path(dir).join("data");
    for file in ["one", "two"] {
        assert_eq!(
            place.read(&format!("{dir}/data/a/{file}")),
            data.to_str().unwrap()
        );
    }
    let harm = |inner: &str| place.path(inner).join("harm").exists();
    assert!(!harm("") && !harm(&format!("{dir}/data/a")));
}

#[test]
fn a_name_is_not_an_option() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['echo', '{\"missed\": \"--help\"}']\n\
         [[job]]\npartitions = '-*'\ncommand = ['touch', '$PARTITION']\n",
    );
    place.run(&["--", "--help"]).refused(&[
        "`--help` cannot be the name of a partition",
        "for an option",
    ]);
    place
        .run(&["a"])
        .refused(&["it missed `--help`: `--help` cannot be the name of a partition"]);
}
