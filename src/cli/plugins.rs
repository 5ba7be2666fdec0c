//! Keys of plugins, where the program is built with them: what they show and ask at the terminal.

#[cfg(feature = "plugins")]
pub(crate) use with::{identities, recipient, recipients};
#[cfg(not(feature = "plugins"))]
pub(crate) use without::{identities, recipient, recipients};

#[cfg(not(feature = "plugins"))]
mod without {
    use ocbak::{IdentityFile, Recipient, Result};

    use crate::cli::ui::Ui;

    pub(crate) fn recipient(text: &str, _: &Ui) -> Result<Recipient> {
        Recipient::parse(text)
    }

    pub(crate) fn recipients(text: &str, _: &Ui) -> Result<Vec<Recipient>> {
        Recipient::parse_file(text)
    }

    pub(crate) fn identities(bytes: &[u8], _: &Ui) -> Result<IdentityFile> {
        IdentityFile::parse(bytes)
    }
}

#[cfg(feature = "plugins")]
mod with {
    use std::sync::Arc;

    use ocbak::{IdentityFile, Passphrase, PluginUser, Recipient, Result, sanitize};

    use crate::cli::prompt::Terminal;
    use crate::cli::ui::{Ui, lines};

    /// Somebody at the terminal, if there is one.
    struct Somebody(Ui);

    pub(crate) fn recipient(text: &str, ui: &Ui) -> Result<Recipient> {
        Recipient::parse_with(text, &user(ui))
    }

    pub(crate) fn recipients(text: &str, ui: &Ui) -> Result<Vec<Recipient>> {
        Recipient::parse_file_with(text, &user(ui))
    }

    pub(crate) fn identities(bytes: &[u8], ui: &Ui) -> Result<IdentityFile> {
        IdentityFile::parse_with(bytes, &user(ui))
    }

    fn user(ui: &Ui) -> Arc<dyn PluginUser> {
        Arc::new(Somebody(ui.another()))
    }

    impl PluginUser for Somebody {
        fn tell(&self, message: &str) {
            lines([format!("plugin: {}", sanitize(message.as_bytes()))]);
        }

        fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
            let (question, yes) = (sanitize(question.as_bytes()), sanitize(yes.as_bytes()));
            let no = sanitize(no.unwrap_or("no").as_bytes());
            Terminal::open(&self.0)?.agrees(&format!("{question} (y: {yes}; n: {no}) ")).ok()
        }

        fn ask(&self, question: &str) -> Option<String> {
            let question = sanitize(question.as_bytes());
            Terminal::open(&self.0)?.line(&format!("{question}: ")).ok()
        }

        fn secret(&self, question: &str) -> Option<Passphrase> {
            let question = sanitize(question.as_bytes());
            let secret = Terminal::open(&self.0)?.secret(&format!("{question}: ")).ok()?;
            Some(Passphrase::new(secret.to_string()))
        }
    }
}
