//! A command line that does not parse, as the document of `--json`.

use serde_json::{Value, json};

use super::Exit;

/// The facts of clap's message, in the shape of every failure.
pub(crate) fn document(error: &clap::Error) -> Value {
    let text = error.render().to_string();
    let hints: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).collect();
    let error = json!({
        "message": message(error),
        "causes": [],
        "hints": hints,
        "exit_code": Exit::Usage as u8,
    });
    json!({ "error": error, "warnings": [] })
}

/// The first paragraph says what is wrong, over several lines where things are counted up.
pub(crate) fn message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let message = message.join(" ");
    message.strip_prefix("error: ").unwrap_or(&message).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::document;
    use crate::cli::args::Args;

    fn of(args: &[&str]) -> serde_json::Value {
        document(&Args::try_parse_from(["ocbak"].iter().chain(args)).unwrap_err())["error"].take()
    }

    #[test]
    fn what_is_wrong_stands_in_one_line() {
        let unknown = of(&["verfy"]);
        assert_eq!(unknown["message"], "unrecognized subcommand 'verfy'");
        assert_eq!(unknown["hints"][0], "a similar subcommand exists: 'verify'");
        assert_eq!(unknown["exit_code"], 2);
        let missing = of(&["info"]);
        assert_eq!(missing["message"], "the following required arguments were not provided: <FILE>");
        assert_eq!(missing["hints"].as_array().unwrap().len(), 0);
    }
}
