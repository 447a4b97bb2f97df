//! `hadron config`.

use crate::cli::{ConfigCommand, ServerArgs, Show};
use crate::config;
use crate::control::Client;
use crate::exit::Failure;
use crate::serve::Reloaded;
use crate::table;

/// Shows or checks the configuration.
pub(crate) fn run(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show { config: args, format } => {
            let layers = config::layers(&args, args.flags())?;
            match format {
                Show::Toml => table::print(&config::toml(&layers)),
                Show::Json => table::print(&format!("{:#}", config::json(&layers))),
            }
            Ok(())
        }
        ConfigCommand::Check { config: args } => {
            let config = config::load(&args)?;
            for remark in config::remarks(&config) {
                table::print(&format!("note: {remark}"));
            }
            table::print(&format!("the configuration is good: {} plugins", config.plugins().len()));
            Ok(())
        }
        ConfigCommand::Reload { server } => crate::block_on(reload(server)),
    }
}

async fn reload(server: ServerArgs) -> Result<(), Failure> {
    let reloaded: Reloaded = Client::of(&server)?.ask(http::Method::POST, "/reload", Vec::new()).await?;
    if server.json {
        table::print(&serde_json::json!(reloaded).to_string());
        return Ok(());
    }
    let listed = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    table::print(&format!("taken up: {}", listed(&reloaded.applied)));
    if !reloaded.restart.is_empty() {
        table::print(&format!("takes a restart: {}", listed(&reloaded.restart)));
    }
    Ok(())
}
