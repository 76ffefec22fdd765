//! Questions to the user.

use std::io::{BufRead, Write};

/// Asks for a line of text; nothing at the end of the input.
///
/// # Errors
/// The input can't be read.
pub(super) fn ask(question: &str) -> std::io::Result<String> {
    print!("{question}");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks for Y or N on standard input; anything else is no. Prints what TiCDC prints.
pub(super) fn confirm(question: &str) -> bool {
    println!("{question}");
    if std::io::stdout().flush().is_err() {
        return false;
    }
    let mut answer = String::new();
    match std::io::stdin().lock().read_line(&mut answer) {
        Ok(0) => {
            println!("Received invalid input: EOF, abort the command.");
            false
        }
        Ok(_) => answer.trim().eq_ignore_ascii_case("y"),
        Err(error) => {
            println!("Received invalid input: {error}, abort the command.");
            false
        }
    }
}
