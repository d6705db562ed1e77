//! databuild: a build system for partitions of data, on ironweave.
//!
//! A *want* is a request for partitions. databuild finds the *job* that makes each of them, *runs* it as a process, and learns from
//! the run which partitions it read and which it missed. [`model`] declares the whole state and all events.
//!
//! | to learn | read |
//! |---|---|
//! | the state and its events | [`model`], then [`rules`] |
//! | how to write jobs | [`jobs`], [`pattern`], [`command`] |
//! | how partitions are selected on the command line | [`selection`] |
//! | how wants become data | [`engine`], [`queue`], [`work`], [`stop`], [`verdict`], [`apart`], [`seal`] |
//! | how wants are canceled, failures retried, and wrong data tainted | [`requests`] |
//! | how processes are run, and what is kept of them | [`child`], [`program`], [`protocol`], [`invoked`] |
//! | recovery after a kill | [`start`], [`orphans`], [`dirs`] |
//! | staleness, and contents that come out the same | [`fresh`], [`digests`], [`present`], [`stale`], [`content`] |
//! | times to live, deadlines and promised times | [`times`] |
//! | checkpoints of the store, and what is kept of old runs | [`upkeep`] |
//! | the daemon, its API and its clients | [`serve`] |
//! | stores of earlier versions | [`migrate`] |
//! | when partitions will be ready, and what is built for them | [`simulate`], [`plan`] |
//! | what is printed of a store | [`reports`], [`status`], [`answers`], [`lineage`], [`story`], [`show`], [`logs`] |
//! | points in the past, and what has changed between two | [`past`], [`diff`] |
//! | partitions by names and times, for pages | [`grid`] |
//! | the demo | [`demo`], [`job`] |
#![forbid(unsafe_code)]

pub mod answers;
pub mod apart;
pub mod child;
pub mod cli;
pub mod command;
pub mod content;
pub mod demo;
pub mod diff;
pub mod digests;
pub mod dirs;
pub mod draw;
pub mod engine;
pub mod fresh;
pub mod grid;
pub mod invoked;
pub mod job;
pub mod jobs;
pub mod keep;
pub mod lineage;
pub mod logs;
pub mod migrate;
pub mod model;
pub mod orphans;
pub mod past;
pub mod pattern;
pub mod plan;
pub mod present;
pub mod program;
pub mod progress;
pub mod protocol;
pub mod queue;
pub mod render;
pub mod reports;
pub mod requests;
pub mod rules;
pub mod seal;
pub mod selection;
pub mod serve;
pub mod show;
pub mod signals;
pub mod simulate;
pub mod stale;
pub mod start;
pub mod status;
pub mod stop;
pub mod story;
pub mod summary;
pub mod text;
pub mod times;
pub mod upkeep;
pub mod verdict;
pub mod work;
