//! `hadron config`.

use crate::cli::{ConfigCommand, Show};
use crate::config;
use crate::exit::Failure;
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
    }
}
