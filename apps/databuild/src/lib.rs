//! databuild: an orchestrator that thinks in partitions of data, on ironweave.
//!
//! Somebody *wants* partitions; databuild finds the *job* that makes each, *runs* it as a process, and learns from
//! the run what it read and what it missed. What is known, and all that can happen, is declared in [`model`].
//!
//! | to learn | read |
//! |---|---|
//! | what there is and what can happen to it | [`model`], then [`rules`] |
//! | how to write jobs | [`jobs`], [`command`] |
//! | how wants become data | [`engine`], [`verdict`] |
//! | what becomes of processes | [`child`], [`said`] |
//! | what happens after a kill, and what is stale | [`start`], [`fresh`], [`dirs`] |
//! | the demo | [`demo`], [`job`] |
#![forbid(unsafe_code)]

pub mod child;
pub mod cli;
pub mod command;
pub mod demo;
pub mod dirs;
pub mod engine;
pub mod fresh;
pub mod job;
pub mod jobs;
pub mod model;
pub mod progress;
pub mod render;
pub mod rules;
pub mod said;
pub mod show;
pub mod signals;
pub mod start;
pub mod summary;
pub mod verdict;
pub mod words;
