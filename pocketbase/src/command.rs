//! Commands of users beside the built-in ones.

use std::{fmt, future::Future, sync::Arc};

use clap::{Arg, ArgMatches, Command};
use engine::hook::BoxFuture;
use parking_lot::Mutex;

use crate::{
    app::App,
    error::{Error, Result},
};

type Run = Arc<dyn Fn(App, ArgMatches) -> BoxFuture<Result<()>> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) command: Command,
    pub(crate) run: Run,
    owner: String,
    /// It reads its own arguments.
    pub(crate) is_raw: bool,
}

/// The arguments of a command that reads them itself.
pub(crate) const RAW: &str = "arguments";

/// The commands and global flags of users.
#[derive(Default)]
pub(crate) struct Commands {
    own: Mutex<Vec<Own>>,
    args: Mutex<Vec<Arg>>,
    matches: Mutex<Option<ArgMatches>>,
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("n", &self.own.lock().len()).finish_non_exhaustive()
    }
}

impl Commands {
    pub(crate) fn all(&self) -> Vec<Own> {
        self.own.lock().clone()
    }
    pub(crate) fn args(&self) -> Vec<Arg> {
        self.args.lock().clone()
    }
    pub(crate) fn matched(&self, matches: &ArgMatches) {
        *self.matches.lock() = Some(matches.clone());
    }
    /// Adds a command; a command of the same name must have the same owner, who replaces it.
    pub(crate) fn add(&self, owner: &str, command: Command, run: Run) -> Result<()> {
        let name = command.get_name().to_owned();
        let mut own = self.own.lock();
        if let Some(other) = own.iter().find(|other| other.command.get_name() == name)
            && other.owner != owner
        {
            return Err(Error::other(format!(
                "{} and {} both have the command {name:?}",
                crate::plugin::shown(&other.owner),
                crate::plugin::shown(owner),
            )));
        }
        own.retain(|other| other.command.get_name() != name);
        own.push(Own { command, run, owner: owner.to_owned(), is_raw: false });
        Ok(())
    }
}

impl App {
    /// Adds a command to the executable that [`App::start`] makes. The app is bootstrapped when it runs. A name of a
    /// built-in command replaces that.
    ///
    /// ```
    /// # use pocketbase::App;
    /// # use clap::{Arg, ArgMatches, Command};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let app = App::builder().data_dir(dir.path()).build()?;
    /// let hello = Command::new("hello").about("Says hello").arg(Arg::new("name"));
    /// app.command(hello, |app: App, args: ArgMatches| async move {
    ///     let name = args.get_one::<String>("name").map_or("world", String::as_str);
    ///     app.store().set("said", format!("Hello {name}"));
    ///     Ok(())
    /// });
    /// app.run(["shop", "hello", "Ann"]).await?;
    /// assert_eq!(app.store().get::<String>("said").as_deref(), Some("Hello Ann"));
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn command<F, Fut>(&self, command: Command, run: F)
    where
        F: Fn(Self, ArgMatches) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let run: Run = Arc::new(move |app, args| Box::pin(run(app, args)));
        let name = command.get_name().to_owned();
        let mut own = self.shared.commands.own.lock();
        own.retain(|other| other.command.get_name() != name);
        own.push(Own { command, run, owner: String::new(), is_raw: false });
    }

    /// The same for a command that reads its arguments itself: it gets all but its name, those of [`App::flags`] included,
    /// which apply to the app before it runs.
    pub fn raw_command<F, Fut>(&self, command: Command, run: F)
    where
        F: Fn(Self, Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let command = command.disable_help_flag(true).arg(
            Arg::new(RAW).num_args(0..).trailing_var_arg(true).allow_hyphen_values(true).hide(true),
        );
        let run: Run = Arc::new(move |app, matches| {
            let given = matches.get_many::<String>(RAW);
            Box::pin(run(app, given.into_iter().flatten().cloned().collect()))
        });
        let name = command.get_name().to_owned();
        let mut own = self.shared.commands.own.lock();
        own.retain(|other| other.command.get_name() != name);
        own.push(Own { command, run, owner: String::new(), is_raw: true });
    }

    /// The flags that every command takes.
    #[must_use]
    pub fn flags(&self) -> Vec<Arg> {
        let built_in = crate::cli::global(Command::new("")).args(self.shared.commands.args());
        built_in.get_arguments().cloned().collect()
    }

    /// Adds a flag that every command takes; read it with [`App::flag`]. Given twice, the last one counts.
    pub fn add_flag(&self, arg: Arg) {
        let own = arg.get_id().clone();
        let arg = arg.overrides_with(own);
        self.shared.commands.args.lock().push(arg.global(true));
    }

    /// The value of a flag of [`App::add_flag`]; `None` before the command line was read, or when it was not given.
    #[must_use]
    pub fn flag<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<T> {
        let matches = self.shared.commands.matches.lock();
        matches.as_ref()?.try_get_one::<T>(name).ok().flatten().cloned()
    }
}
