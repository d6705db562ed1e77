//! Tests of the API of a daemon by clients that know its description alone, and by clients that keep no rules.

#![allow(clippy::doc_markdown)]

#[allow(dead_code, reason = "the tests in `it` use the rest")]
#[path = "../it/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "the tests in `it` use the rest")]
#[path = "../it/described.rs"]
mod described;
#[allow(dead_code, reason = "the tests in `it` use the rest")]
#[path = "../it/support.rs"]
mod support;

mod a_generated_client_calls_each_operation;
mod hostile_requests_are_answered;
mod many_clients_hold;
