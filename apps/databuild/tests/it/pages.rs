//! The pages of the daemon in a headless Chromium, on stores that change: what they show, the time slider, the mouse and the keyboard, and
//! what readers would miss.
//!
//! With the variable `SCREENSHOTS`, each page is kept as a picture in that directory.

use headless::{Browser, Page, Window};

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, wait_until};

const WINDOWS: [(&str, Window); 4] = [
    ("desktop", Window::DESKTOP),
    ("phone", Window::PHONE),
    (
        "desktop-dark",
        Window {
            dark: true,
            ..Window::DESKTOP
        },
    ),
    (
        "phone-dark",
        Window {
            dark: true,
            ..Window::PHONE
        },
    ),
];

/// Whether the content of a page has a text, and is complete.
fn shows(text: &str) -> String {
    format!(
        "document.querySelector('main')?.textContent.includes({text:?}) && !document.querySelector('main').ariaBusy"
    )
}

fn assert_good(page: &mut Page<'_>, name: &str) {
    let audit = page.audit();
    assert!(audit.is_empty(), "{name}: {audit:#?}");
    let problems = page.problems();
    assert!(problems.is_empty(), "{name}: {problems:#?}");
}

/// Partitions in many states: a calendar of days, one that runs, one that waits for it, one that failed, and one that it blocks.
fn daemon(place: &Place) -> (Daemon, String) {
    let daemon = Daemon::start(place);
    let days: Vec<String> = (1..=9).map(|day| format!("quick/2026-01-0{day}")).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let want = daemon.want(&days);
    daemon.wait_for(&want, "Successful");
    let want = daemon.want(&["needs-bad"]);
    daemon.wait_for(&want, "UpstreamFailed");
    let open = daemon.want(&["top/a"]);
    daemon.wait_for_run("slow/a");
    (daemon, open)
}

fn url(daemon: &Daemon, path: &str) -> String {
    format!("http://{}/{path}", daemon.address)
}

#[test]
fn all_pages_are_complete_in_all_windows_and_stay_where_they_are_while_the_daemon_works() {
    let place = Place::with_jobs(JOBS);
    let (daemon, want) = daemon(&place);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let run = daemon.get("/api/partitions/bad").1["run"].clone();
    let run = run.as_str().expect("it ran");
    let pages = [
        ("home", String::new(), "it is broken"),
        ("grid", "grid".to_owned(), "quick/*"),
        ("partition", "partition?ref=needs-bad".to_owned(), "Lineage"),
        ("run", format!("run?id={run}"), "it is broken"),
        ("want", format!("want?id={want}"), "top/a"),
        (
            "build",
            "build?refs=quick/2026-01-10".to_owned(),
            "How to name",
        ),
        (
            "plan",
            "plan?want=top/a+quick/2026-01-11+needs-bad".to_owned(),
            "What the plan assumes",
        ),
        (
            "taint",
            "taint?refs=quick/2026-01-02".to_owned(),
            "What is wrong with the data",
        ),
        ("diff", "diff?from=3".to_owned(), "differ"),
        ("explore", "explore/places".to_owned(), "PartitionRef"),
    ];
    let mut page = browser.page(Window::DESKTOP);
    for (window, size) in WINDOWS {
        page.resize(size);
        for (name, path, text) in &pages {
            let name = format!("{name}-{window}");
            page.open(&url(&daemon, path), &shows(text));
            page.keep_screenshot(&name);
            assert_good(&mut page, &name);
            if size.dark {
                continue;
            }
            // The frame of the page does not move when its content arrives or the log grows.
            let before = daemon.get("/api/status").1["seq"].clone();
            let done = daemon.want(&["quick/2026-01-01"]);
            daemon.wait_for(&done, "Successful");
            page.wait(&format!(
                "Number(document.querySelector('#timebar input[type=range]').max) > {before}"
            ));
            page.wait(&shows(text));
            let shift = page.layout_shift();
            assert!(shift < 0.02, "{name}: {shift}");
        }
    }
}

#[test]
fn the_slider_shows_every_page_as_it_was() {
    let place = Place::with_jobs(JOBS);
    let (daemon, want) = daemon(&place);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    page.open(&url(&daemon, "grid"), &shows("quick/*"));
    let live = "document.querySelectorAll('[aria-label$=\": live\"]').length";
    assert_eq!(page.eval(live), 9);
    // The frames of the grid stay where they are, and the cells have the states of then.
    let slide = |to: u64| {
        format!(
            "(() => {{ const s = document.querySelector('#timebar input[type=range]'); s.value = {to}; s.dispatchEvent(new Event('input')); \
             s.dispatchEvent(new Event('change')); }})()"
        )
    };
    page.eval(&slide(1));
    page.wait(&format!("{live} === 0"));
    assert_eq!(page.eval("document.querySelectorAll('td.cell').length"), 9);
    assert_eq!(page.eval("location.search"), "?at=1");
    // Links keep the time. The past cannot be changed.
    page.click("#pages a");
    page.wait(&shows("1 open want"));
    assert_eq!(page.eval("location.search"), "?at=1");
    assert_eq!(
        page.eval("document.querySelector('.item button').disabled"),
        true
    );
    page.eval("document.querySelector('#timebar input[type=range]').focus()");
    page.press("ArrowRight");
    page.wait("location.search === '?at=2'");
    page.click("#timebar .live");
    page.wait(&shows("it is broken"));
    // A want ends while its page is shown.
    page.open(&url(&daemon, &format!("want?id={want}")), &shows("waiting"));
    place.write("leave", "");
    page.wait(&shows("successful"));
    // A time that is not there is an answer.
    page.open(
        &url(&daemon, "partition?ref=top/a&at=9999"),
        "document.querySelector('[role=alert]')",
    );
    page.problems();
    let audit = page.audit();
    assert!(audit.is_empty(), "{audit:#?}");
}

#[test]
fn wants_are_canceled_and_failures_retried_by_a_click() {
    let place = Place::with_jobs(JOBS);
    let (daemon, want) = daemon(&place);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    page.open(&url(&daemon, ""), &shows("it is broken"));
    // What is in the way of what, as `databuild status` prints it.
    let chains = page.eval(
        "[...document.querySelectorAll('.item .chain')].map((one) => one.textContent.replace(/run \\S+/, 'run')).join()",
    );
    assert_eq!(
        chains,
        "top/a \u{2190} slow/a run builds it,needs-bad \u{2190} bad FAILED: it ended with exit status 1"
    );
    let cancel = format!("[aria-label='Cancel want {want}']");
    page.click(&cancel);
    assert_eq!(daemon.get(&format!("/api/wants/{want}")).1["open"], true);
    page.click(&cancel);
    daemon.wait_for(&want, "Canceled");
    page.wait(&shows("0 open wants"));
    place.write("mended", "");
    page.click("[aria-label='Retry bad']");
    page.wait(&shows("Nothing has failed"));
    wait_until("bad is live", || {
        daemon.get("/api/partitions/bad").1["state"] == "Live"
    });
    assert_good(&mut page, "home");
}

#[test]
fn wrong_data_is_tainted_by_a_form_and_times_are_shown() {
    let place = Place::with_jobs(JOBS);
    let (daemon, _) = daemon(&place);
    let body = serde_json::json!({"refs": ["slow/b"], "deadline_seconds": 3600, "sla_seconds": 0});
    assert_eq!(daemon.post("/api/wants", &body).0, 201);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    page.open(&url(&daemon, ""), &shows("! late. Deadline"));
    page.keep_screenshot("home-late");
    assert_good(&mut page, "home");
    page.open(
        &url(&daemon, "partition?ref=quick/2026-01-02"),
        &shows("Its data is wrong"),
    );
    page.click("a[href*='taint']");
    page.wait("document.getElementById('reason')");
    page.click("button.primary");
    page.wait("document.getElementById('said')?.textContent.includes('The reason is empty')");
    page.problems();
    page.eval("document.getElementById('reason').focus()");
    page.type_text("two columns are swapped");
    page.eval("document.querySelector('button.primary').focus()");
    page.press("Enter");
    page.wait(&shows("two columns are swapped"));
    assert_eq!(page.eval("location.pathname"), "/partition");
    page.wait(&shows("tainted"));
    page.keep_screenshot("partition-tainted");
    assert_good(&mut page, "partition");
}

#[test]
fn a_range_is_built_by_dragging_and_by_the_keyboard() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["quick/2026-03-01", "quick/2026-03-12"]);
    daemon.wait_for(&want, "Successful");
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    page.open(&url(&daemon, "grid"), &shows("quick/*"));
    let live = "document.querySelectorAll('[aria-label$=\": live\"]').length";
    let selected = "document.querySelectorAll('[aria-selected=true]').length";
    assert_eq!(page.eval("document.querySelectorAll('td.cell').length"), 12);
    let cell = |day: &str| format!("[aria-label^='quick/2026-03-{day}']");
    page.drag(&cell("02"), &cell("05"));
    assert_eq!(page.eval(selected), 4);
    page.keep_screenshot("grid-selected");
    page.click("#selection .primary");
    page.wait(&format!("{live} === 6"));
    // By the keyboard: three days to the right, and the selection is built from the bar.
    page.eval(&format!(
        "document.querySelector(\"{}\").focus()",
        cell("05")
    ));
    page.press("ArrowRight");
    page.press("Shift+ArrowRight");
    page.press("Shift+ArrowRight");
    assert_eq!(page.eval(selected), 3);
    page.eval("document.querySelector('#selection .primary').focus()");
    page.press("Enter");
    page.wait(&format!("{live} === 9"));
    page.eval(&format!(
        "document.querySelector(\"{}\").focus()",
        cell("06")
    ));
    page.press("Enter");
    page.wait(&shows("quick/2026-03-06"));
    assert_eq!(page.eval("location.pathname"), "/partition");
    assert_good(&mut page, "partition");
}

#[test]
fn a_page_says_that_its_daemon_is_gone_and_follows_the_next_one() {
    let place = Place::with_jobs(JOBS);
    let (first, _) = daemon(&place);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::PHONE);
    page.open(&url(&first, ""), &shows("it is broken"));
    let address = first.address.clone();
    first.kill();
    page.wait("document.getElementById('status').textContent.includes('connection to the server is lost')");
    place.write("leave", "");
    let next = Daemon::start_at(&place, &address);
    page.wait("document.getElementById('status').textContent === ''");
    page.wait(&shows("0 open wants"));
    drop(next);
}

#[test]
fn a_token_is_entered_once() {
    let place = Place::with_jobs(JOBS);
    place.write("token", "0123456789abcdef+/=\n");
    let daemon = Daemon::start_with(&place, &["--token-file", "token"]);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::PHONE);
    let field = "document.querySelector('input[name=token]')";
    page.open(&url(&daemon, "grid?pattern=q*"), field);
    page.keep_screenshot("token-phone");
    // The styles need no token.
    assert_eq!(
        page.eval("getComputedStyle(document.querySelector('main')).maxWidth"),
        "480px"
    );
    let audit = page.audit();
    assert!(audit.is_empty(), "{audit:#?}");
    page.type_text("0123456789abcdef");
    page.press("Enter");
    page.wait("document.querySelector('[role=alert]')");
    page.eval("document.querySelector('input[name=token]').focus()");
    page.type_text("0123456789abcdef+/=");
    page.press("Enter");
    page.wait(&shows("Grid"));
    assert_eq!(
        page.eval("location.pathname + location.search"),
        "/grid?pattern=q*"
    );
    // Also for the stream of the page and for the explorer.
    page.open(&url(&daemon, "explore/places"), &shows("PartitionRef"));
    page.wait("document.getElementById('status').textContent === ''");
}

#[test]
fn a_plan_is_made_of_names_and_then_built() {
    let place = Place::with_jobs(JOBS);
    let (daemon, want) = daemon(&place);
    place.write("leave", "");
    daemon.wait_for(&want, "Successful");
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::PHONE);
    // From the page of a partition, by the keyboard.
    page.open(&url(&daemon, "partition?ref=slow/a"), &shows("Lineage"));
    page.eval("document.querySelector('.title a').focus()");
    page.press("Enter");
    page.wait(&shows("its input slow/a is stale"));
    assert_eq!(page.eval("location.search"), "?change=slow%2Fa");
    assert_eq!(
        page.eval("document.getElementById('of-change').checked"),
        true
    );
    page.keep_screenshot("plan-change-phone");
    assert_good(&mut page, "plan of a change");
    // Names are typed, and a mistake is said without losing them.
    let select =
        "document.getElementById('refs').focus(), document.getElementById('refs').select()";
    page.eval(select);
    page.type_text("quick/2026-02-{01..03} nowhere");
    page.eval("document.getElementById('of-change').focus()");
    page.press("ArrowUp");
    page.eval("document.querySelector('form .primary').focus()");
    page.press("Enter");
    page.wait("document.querySelector('[role=alert]')");
    assert_eq!(
        page.eval("document.getElementById('refs').value"),
        "quick/2026-02-{01..03} nowhere"
    );
    page.problems();
    page.eval(select);
    page.type_text("quick/2026-02-{01..03}");
    page.click("form .primary");
    page.wait(&shows("quick/2026-02-03"));
    assert_eq!(
        page.eval("document.querySelectorAll('.steps tbody tr').length"),
        3
    );
    page.click(".panel .actions button.primary:not(form *)");
    page.wait("location.pathname === '/want'");
    page.wait(&shows("successful"));
    assert_eq!(
        daemon.get("/api/partitions/quick/2026-02-03").1["state"],
        "Live"
    );
    // Back to the plan: it is made again, and nothing is left.
    page.eval("history.back()");
    page.wait(&shows("Nothing is to be built"));
    assert_eq!(
        page.eval("document.getElementById('refs').value"),
        "quick/2026-02-{01..03}"
    );
    assert_good(&mut page, "plan of a want");
}
