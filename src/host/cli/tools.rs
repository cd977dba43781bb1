//! `playwarden ansible inventory`, `docs`, `config`, …: Ansible's other programs, of the Ansible that a run would use.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::context::Context;
use super::exit::Exit;
use super::terminal;
use crate::config::Config;
use crate::plan::{JobPlan, Keywords, Overrides};
use crate::report::diagnostic;
use crate::tools::{ConfigQuestion, DocsOptions, InventoryForm, InventoryOptions, InventoryQuestion, ToolError, Tools};

#[derive(Debug, Subcommand)]
pub(super) enum ToolCommand {
    /// Show what is in an inventory
    Inventory(InventoryArguments),
    /// Show the documentation of plugins
    Docs(DocsArguments),
    /// List the plugins of a kind
    Plugins {
        /// With the file of each
        #[arg(long)]
        files: bool,
        #[command(flatten)]
        options: KindArguments,
    },
    /// Show Ansible's configuration
    Config {
        /// What of it
        #[arg(value_enum, default_value_t = Setting::Dump)]
        what: Setting,
        /// This file instead of the one that Ansible finds
        #[arg(long, value_name = "PATH")]
        config_file: Option<PathBuf>,
        /// Only what differs from the defaults
        #[arg(long)]
        only_changed: bool,
    },
    /// List the roles that say which arguments they take
    Roles {
        /// Only those of this collection
        collection: Option<String>,
        /// Look beside the playbooks in this folder
        #[arg(long, value_name = "DIR")]
        playbook_dir: Option<PathBuf>,
    },
    /// Show which arguments a role takes
    RoleSpec {
        /// Its name
        role: String,
        /// Its collection
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
        /// Look beside the playbooks in this folder
        #[arg(long, value_name = "DIR")]
        playbook_dir: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
pub(super) struct InventoryArguments {
    /// A tree of groups, everything, or the variables of one host
    #[arg(value_enum)]
    what: Asked,
    /// The host
    #[arg(required_if_eq("what", "host"))]
    host: Option<String>,
    /// A path or a list with commas; may be repeated
    #[arg(short, long, value_name = "PATH")]
    inventory: Vec<String>,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t = Form::Json)]
    format: Form,
    /// Take the variables beside the playbooks in this folder too
    #[arg(long, value_name = "DIR")]
    playbook_dir: Option<PathBuf>,
    /// As Ansible takes it; may be repeated
    #[arg(long, value_name = "ID")]
    vault_id: Vec<String>,
    /// A file with the vault's password
    #[arg(long, value_name = "PATH")]
    vault_password_file: Option<PathBuf>,
    /// Write the answer into a file
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// In the form for taking it in again
    #[arg(long)]
    export: bool,
}

#[derive(Args, Debug)]
pub(super) struct DocsArguments {
    /// Names of plugins
    #[arg(required = true)]
    names: Vec<String>,
    /// How a task with it is written
    #[arg(long)]
    snippet: bool,
    #[command(flatten)]
    options: KindArguments,
}

#[derive(Args, Debug)]
pub(super) struct KindArguments {
    /// The kind of plugin, such as `lookup` [default: module]
    #[arg(short = 't', long = "type", value_name = "KIND")]
    kind: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Look beside the playbooks in this folder
    #[arg(long, value_name = "DIR")]
    playbook_dir: Option<PathBuf>,
    /// Look for modules in this folder too
    #[arg(short = 'M', long, value_name = "DIR")]
    module_path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Asked {
    Graph,
    List,
    Host,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Form {
    Json,
    Yaml,
    Toml,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Setting {
    List,
    Dump,
    View,
}

impl KindArguments {
    fn options(&self) -> DocsOptions {
        DocsOptions {
            kind: self.kind.clone(),
            json: self.json,
            playbook_dir: self.playbook_dir.clone(),
            module_path: self.module_path.clone(),
        }
    }
}

/// Asks, and prints the answer. Returns the exit code, which may be that of Ansible's program.
pub(super) fn tool(context: &Context, command: &ToolCommand) -> u8 {
    let tools = match tools(context) {
        Ok(tools) => tools,
        Err(exit) => return exit.code(),
    };
    match ask(&tools, command) {
        Ok(text) => {
            terminal::out(&text);
            Exit::Success.code()
        }
        Err(err @ ToolError::Start(..)) => {
            let hint = "this installation of ansible-core is not complete; install it anew";
            terminal::error(&err, Some(hint), context.color());
            Exit::CouldNotStart.code()
        }
        Err(ToolError::Ended { code, said, .. }) => {
            terminal::note(&format!("{said}\n"));
            u8::try_from(code).unwrap_or(u8::MAX)
        }
    }
}

fn ask(tools: &Tools, command: &ToolCommand) -> Result<String, ToolError> {
    match command {
        ToolCommand::Inventory(arguments) => {
            let question = match arguments.what {
                Asked::Graph => InventoryQuestion::Graph,
                Asked::List => InventoryQuestion::List,
                Asked::Host => InventoryQuestion::Host(arguments.host.clone().unwrap_or_default()),
            };
            let options = InventoryOptions {
                inventories: arguments.inventory.clone(),
                form: match arguments.format {
                    Form::Json => InventoryForm::Json,
                    Form::Yaml => InventoryForm::Yaml,
                    Form::Toml => InventoryForm::Toml,
                },
                playbook_dir: arguments.playbook_dir.clone(),
                vault_ids: arguments.vault_id.clone(),
                vault_password_file: arguments.vault_password_file.clone(),
                output: arguments.output.clone(),
                export: arguments.export,
            };
            tools.inventory(&question, &options)
        }
        ToolCommand::Docs(arguments) => tools.docs(&arguments.names, arguments.snippet, &arguments.options.options()),
        ToolCommand::Plugins { files, options } => tools.plugins(*files, &options.options()),
        ToolCommand::Config { what, config_file, only_changed } => {
            let question = match what {
                Setting::List => ConfigQuestion::List,
                Setting::Dump => ConfigQuestion::Dump,
                Setting::View => ConfigQuestion::View,
            };
            tools.config(question, config_file.as_deref(), *only_changed)
        }
        ToolCommand::Roles { collection, playbook_dir } => tools.roles(collection.as_deref(), playbook_dir.as_deref()),
        ToolCommand::RoleSpec { role, collection, playbook_dir } => {
            tools.role_spec(role, collection.as_deref(), playbook_dir.as_deref())
        }
    }
}

/// The programs of the Ansible that a run would use here, as it would see them.
fn tools(context: &Context) -> Result<Tools, Exit> {
    let say = |findings| {
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        Exit::Configuration
    };
    let config = match context.config() {
        Ok((config, _)) if config.is_bare() => config,
        Ok((config, _)) => {
            let folder = context.cwd().join(config.path()).parent().map_or_else(PathBuf::new, ToOwned::to_owned);
            let mut bare = Config::bare(&folder);
            bare.ansible = config.ansible;
            bare
        }
        // None is needed.
        Err(_) if !context.has_config() => Config::bare(context.cwd()),
        Err(findings) => return Err(say(findings)),
    };
    let keywords = Keywords { command: Some(vec!["ansible-config".to_owned()]), ..Keywords::default() };
    let overrides = Overrides { keywords, ..Overrides::default() };
    let plan = JobPlan::resolve(&config, Config::BARE_JOB, &overrides, &context.environment);
    let plan = plan.map_err(|list| say(config.findings(list)))?;
    let mut tools = Tools::of(&plan, &context.inherited);
    // Relative paths are meant from here.
    if context.private_data_dir().is_none() {
        tools.folder = context.cwd().to_owned();
    }
    if context.ansible_color() {
        tools.environment.insert(OsString::from("ANSIBLE_FORCE_COLOR"), OsString::from("1"));
    }
    Ok(tools)
}
