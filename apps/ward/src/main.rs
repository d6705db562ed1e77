//! `ward DIRECTORY [ADDRESS]`: serves the ward whose store is in a directory, at 127.0.0.1:8080 unless another address is given,
//! until Ctrl-C.

use std::error::Error;

use ironweave::prelude::*;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: ward DIRECTORY [ADDRESS]")?;
    let address = arguments.next().unwrap_or("127.0.0.1:8080".into());
    let store = Store::<ward::model::Model>::open(directory)?;
    let store = store.share().into_async()?;
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    let interrupted = async {
        // Without a handler of the signal, the service runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(ward::serve(listener, store, interrupted).await?)
}
