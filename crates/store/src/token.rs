//! Cuts SQL into tokens, so that rewriting and linting never touch what stands in quotes or comments.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Space,
    Comment,
    Word,
    Number,
    Quoted,
    Parameter,
    Symbol,
}

/// A piece of SQL text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

impl Token<'_> {
    /// True for this keyword, in whatever case.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// True for this symbol.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// False for space and comments.
    pub(crate) fn matters(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }
}

/// All tokens of `sql`, in order and without a gap: joined again they are `sql`.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next(rest, first);
        let (text, after) = rest.split_at(length);
        found.push(Token { kind, text });
        rest = after;
    }
    found
}

fn next(rest: &str, first: char) -> (Kind, usize) {
    let run = |belongs: fn(char) -> bool| rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
    let until = |end: &str, skip: usize| {
        rest.get(skip..).and_then(|tail| tail.find(end)).map_or(rest.len(), |at| at + skip + end.len())
    };
    match first {
        c if c.is_whitespace() => (Kind::Space, run(char::is_whitespace)),
        '-' if rest.starts_with("--") => (Kind::Comment, until("\n", 2)),
        '/' if rest.starts_with("/*") => (Kind::Comment, until("*/", 2)),
        '\'' => (Kind::Quoted, until("'", 1)),
        '"' => (Kind::Quoted, until("\"", 1)),
        '$' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            (Kind::Parameter, 1 + rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1))
        }
        '$' => (Kind::Quoted, dollar_quoted(rest)),
        c if c.is_alphabetic() || c == '_' => (Kind::Word, run(|c| c.is_alphanumeric() || c == '_')),
        c if c.is_ascii_digit() => (Kind::Number, run(|c| c.is_alphanumeric() || c == '.' || c == '_')),
        c => (Kind::Symbol, symbol(rest).unwrap_or(c.len_utf8())),
    }
}

/// Length of `$tag$ … $tag$`, or of a lone dollar.
fn dollar_quoted(rest: &str) -> usize {
    let Some(close) = rest[1..].find('$') else { return 1 };
    let tag = &rest[..close + 2];
    rest[tag.len()..].find(tag).map_or(1, |at| at + 2 * tag.len())
}

fn symbol(rest: &str) -> Option<usize> {
    const LONG: [&str; 11] = ["->>", "#>>", "->", "#>", "@>", "<@", "::", "||", "?|", "?&", "<>"];
    LONG.iter().find(|symbol| rest.starts_with(**symbol)).map(|symbol| symbol.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_tokens_are_the_text_again() {
        for sql in [
            "select 'it''s -- no', \"a b\" -- yes\n from t where x = $12::text /* $1 */",
            "do $x$ begin; $x$",
            "'",
            "$",
            "é",
        ] {
            assert_eq!(tokens(sql).iter().map(|token| token.text).collect::<String>(), sql);
        }
    }

    #[test]
    fn words_in_quotes_and_comments_are_no_words() {
        let words: Vec<_> = tokens("select 'now()' /* ilike */ -- date\n as x")
            .into_iter()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text)
            .collect();
        assert_eq!(words, ["select", "as", "x"]);
    }
}
