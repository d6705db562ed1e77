//! The explorer over HTTP on 127.0.0.1: its API, who may ask it, and its pages in a headless Chromium.
#![allow(missing_docs)]

mod access;
mod api;
mod dropped;
mod hostile;
mod model;
mod pages;
mod server;
mod streams;
mod trials;
