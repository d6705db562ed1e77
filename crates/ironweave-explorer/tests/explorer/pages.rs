//! The pages in a headless Chromium, on a store that changes: what they show, the time slider, the keyboard, and what readers would miss.
//!
//! With the variable `SCREENSHOTS`, each page is kept as a picture in that directory.

use headless::{Browser, Page, Window};
use serde_json::Value;

use crate::model::build::{JobSucceeded, Noted, WantCreated, state::*, *};
use crate::model::fire;
use crate::server::Fixture;

use ironweave::prelude::*;

/// The pages, each with what it shows when it is complete.
const PAGES: [(&str, &str, &str); 11] = [
    ("places", "places", "Partition"),
    ("entities", "entities?type=Partition", "daily/2026-01-12"),
    (
        "entities-state",
        "entities?type=Partition&state=Failed",
        "exit 3",
    ),
    ("entity", "entity?type=Partition&id=0.1", "checked by hand"),
    ("deleted", "entity?type=Tag&id=1.1", "does not exist"),
    ("log", "log", "TagDeleted"),
    ("transaction", "transaction?seq=5", "WantSatisfied"),
    ("net", "net", "Partition::Live"),
    ("lifecycle", "net?kind=lifecycle&type=Partition", "Building"),
    ("diff", "diff?from=2", "created"),
    ("what-if", "what-if?event=WantCreated", "Try it"),
];

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

#[test]
fn all_pages_are_complete_in_all_windows_and_stay_where_they_are_while_a_writer_writes() {
    let fixture = Fixture::typed();
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    for (window, size) in WINDOWS {
        page.resize(size);
        for (name, path, text) in PAGES {
            let name = format!("{name}-{window}");
            page.open(&fixture.server.url(&format!("/{path}")), &shows(text));
            page.keep_screenshot(&name);
            assert_good(&mut page, &name);
            // Colours do not move.
            if size.dark {
                continue;
            }
            // The frame of the page does not move when its content arrives or the log grows.
            let size = page
                .eval("performance.now() | 0")
                .as_u64()
                .unwrap_or_default();
            fire(
                &fixture.store,
                Noted {
                    partition: "daily/2026-01-12".into(),
                    note: None,
                    size,
                },
            );
            let last = fixture.last();
            page.wait(&format!(
                "document.querySelector('#timebar input[type=range]').max === '{last}'"
            ));
            page.wait(&shows(text));
            let shift = page.layout_shift();
            assert!(shift < 0.02, "{name}: {shift}");
            assert_good(&mut page, &name);
        }
    }
}

/// A page that shows now follows the writer, and keeps the focus and the position of its reader.
#[test]
fn a_live_page_follows_and_a_past_one_stays() {
    for fixture in [Fixture::typed(), Fixture::beside()] {
        let Some(mut browser) = Browser::start() else {
            return;
        };
        let mut page = browser.page(Window::PHONE);
        page.open(
            &fixture.server.url("/entities?type=Partition"),
            &shows("daily/2026-01-12"),
        );
        page.eval("document.querySelector('input[name=key]').focus()");
        page.type_text("half a na");
        page.eval("scrollTo(0, 20)");
        fire(
            &fixture.store,
            WantCreated {
                partitions: vec!["quite new".into()],
            },
        );
        page.wait(&shows("quite new"));
        let kept =
            page.eval("[document.activeElement.name, document.activeElement.value, scrollY]");
        assert_eq!(kept.to_string(), r#"["key","half a na",20]"#);
        let last = fixture.last();
        page.open(
            &fixture
                .server
                .url(&format!("/entities?type=Partition&at={last}")),
            &shows("quite new"),
        );
        fire(
            &fixture.store,
            WantCreated {
                partitions: vec!["newer".into()],
            },
        );
        page.wait(&format!(
            "document.querySelector('#timebar .frame').textContent.includes('of {}')",
            last + 1
        ));
        assert_eq!(page.eval(&shows("newer")), Value::Bool(false));
        assert!(page.problems().is_empty());
    }
}

#[test]
fn the_slider_shows_the_past_on_every_page() {
    let fixture = Fixture::typed();
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    page.open(&fixture.server.url("/places"), &shows("Partition"));
    let states = "[...document.querySelectorAll('[data-key=Partition] li .number')].map((e) => e.textContent).join()";
    assert_eq!(page.eval(states), "4,4,2,2");
    // By the keyboard.
    page.eval("document.querySelector('#timebar input[type=range]').focus()");
    let last = fixture.last();
    for back in 1..=2 {
        page.press("ArrowLeft");
        page.wait(&format!(
            "new URLSearchParams(location.search).get('at') === '{}'",
            last - back
        ));
    }
    page.eval(
        "(() => { const s = document.querySelector('#timebar input[type=range]'); s.value = 2; s.dispatchEvent(new Event('input')); \
         s.dispatchEvent(new Event('change')); })()",
    );
    page.wait(&format!("{states} === '12,0,0,0'"));
    // Links keep the time, and so does the button of the browser that goes back.
    page.click("a[href^='log']");
    page.wait(&shows("WantCreated"));
    let listed = page
        .eval("document.querySelector('.list').textContent")
        .to_string();
    assert!(!listed.contains("JobQueued"), "{listed}");
    page.eval("history.back()");
    page.wait(&format!("{states} === '12,0,0,0'"));
    page.click("#timebar .live");
    page.wait(&format!("{states} === '4,4,2,2'"));
    // A time that is not there is an answer too.
    page.eval("document.querySelector('#timebar input[name=moment]').focus()");
    page.type_text("2999-01-01");
    page.press("Enter");
    page.wait(&shows("is in the future"));
    let audit = page.audit();
    assert!(audit.is_empty(), "{audit:#?}");
}

#[test]
fn the_net_shows_the_marking_as_it_changes() {
    let fixture = Fixture::typed();
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut page = browser.page(Window::DESKTOP);
    page.open(&fixture.server.url("/net"), &shows("Partition::Live"));
    let count =
        "document.querySelector('[href*=\"type=Partition&state=Live\"] .count').textContent";
    assert_eq!(page.eval(count), "2 entities");
    let run = fixture
        .store
        .read(|db| db.place::<JobRun, Queued>().next())
        .unwrap()
        .unwrap();
    let run = fire(&fixture.store, JobStarted { run }).bound.run;
    fire(
        &fixture.store,
        JobSucceeded {
            run,
            at: Timestamp::now(),
        },
    );
    page.wait(&format!("{count} === '6 entities'"));
    page.wait("document.querySelectorAll('.picture .changed').length > 0");
    page.keep_screenshot("net-changed");
    page.eval("document.querySelector('[href*=\"type=Partition&state=Live\"]').focus()");
    page.press("Enter");
    page.wait(&shows("6 entities of 6 shown"));
    assert!(page.problems().is_empty());
}

#[test]
fn an_event_is_filled_in_and_tried() {
    let fixture = Fixture::typed();
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let last = fixture.last();
    let mut page = browser.page(Window::DESKTOP);
    page.open(
        &fixture.server.url("/what-if?event=JobFailed"),
        &shows("Try it"),
    );
    page.eval("document.querySelector('#field-run').focus()");
    page.type_text("JobRun/2.1");
    page.press("Tab");
    page.type_text("5");
    page.press("Enter");
    page.wait(&shows("It would happen"));
    page.keep_screenshot("what-if-happens");
    let failed = page.eval("document.querySelector('#outcome .grid').innerText");
    assert!(
        failed
            .as_str()
            .is_some_and(|text| text.contains("Partition Failed\t2\t6\t+4")),
        "{failed}"
    );
    assert_good(&mut page, "what-if");
    // What would be rejected says why.
    page.open(
        &fixture.server.url("/what-if?event=WantCanceled"),
        &shows("Try it"),
    );
    page.eval("document.querySelector('#field-want').focus()");
    page.type_text("Want/1.1");
    page.press("Enter");
    page.wait(&shows("It would be rejected"));
    page.keep_screenshot("what-if-rejected");
    assert!(
        page.eval("document.querySelector('#outcome').innerText")
            .to_string()
            .contains("is Successful")
    );
    // The browser reports the status of the refusal.
    assert!(
        page.problems()
            .iter()
            .all(|problem| problem.contains("409"))
    );
    assert_eq!(fixture.last(), last);
}
