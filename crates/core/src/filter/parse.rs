//! Text form to [`Filter`]: a recursive descent over characters, bounded in length, depth and terms.

use super::{Filter, MAX_DEPTH, MAX_TERMS, MAX_TEXT, Operand};
use crate::error::{Error, Result};

pub(super) fn parse(text: &str) -> Result<Filter> {
    if text.len() > MAX_TEXT {
        return Err(Error::invalid("filter", format!("the filter is longer than {MAX_TEXT} bytes")));
    }
    let mut parser = Parser { text, at: 0, depth: 0, terms: 0 };
    let filter = parser.any_of()?;
    parser.blanks();
    if parser.at < text.len() { Err(parser.expected("`and`, `or` or the end")) } else { Ok(filter) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// An error at the present place; characters are counted from 1, as people do.
    fn error(&self, message: &str) -> Error {
        let place = self.text[..self.at].chars().count() + 1;
        Error::invalid("filter", format!("filter, character {place}: {message}"))
    }

    fn expected(&self, what: &str) -> Error {
        let found: String = self.rest().chars().take(12).collect();
        match found.is_empty() {
            true => self.error(&format!("expected {what}, found the end")),
            false => self.error(&format!("expected {what}, found {found:?}")),
        }
    }

    /// The word that stands next, without taking it.
    fn peek_word(&mut self) -> &'a str {
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        &rest[..end]
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.at += word.len();
        }
        found
    }

    fn take_mark(&mut self, mark: char) -> bool {
        self.blanks();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len_utf8();
        }
        found
    }

    fn any_of(&mut self) -> Result<Filter> {
        let mut parts = vec![self.all_of()?];
        while self.take_word("or") {
            parts.push(self.all_of()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all_of(&mut self) -> Result<Filter> {
        let mut parts = vec![self.one()?];
        while self.take_word("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self) -> Result<Filter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!("nested deeper than {MAX_DEPTH}")));
        }
        let filter = if self.take_word("not") {
            Filter::Not(Box::new(self.one()?))
        } else if self.take_mark('(') {
            let inner = self.any_of()?;
            if !self.take_mark(')') {
                return Err(self.expected("`)`"));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter> {
        let field = self.peek_word();
        if field.is_empty() || matches!(field, "and" | "or") || !field.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(self.expected("a field"));
        }
        self.count_term()?;
        self.at += field.len();
        let field = field.to_owned();
        let verb = self.peek_word();
        let wrap: fn(String, Operand) -> Filter = match verb {
            "eq" => Filter::Eq,
            "ne" => Filter::Ne,
            "lt" => Filter::Lt,
            "le" => Filter::Le,
            "gt" => Filter::Gt,
            "ge" => Filter::Ge,
            "like" | "under" | "in" => return self.other_comparison(field, verb),
            _ => return Err(self.expected("eq, ne, lt, le, gt, ge, like, in or under")),
        };
        self.at += verb.len();
        Ok(wrap(field, self.operand()?))
    }

    fn other_comparison(&mut self, field: String, verb: &str) -> Result<Filter> {
        self.at += verb.len();
        match verb {
            "like" => Ok(Filter::Like(field, self.string()?)),
            "under" => Ok(Filter::Under(field, self.string()?)),
            _ => Ok(Filter::In(field, self.operands()?)),
        }
    }

    fn count_term(&mut self) -> Result<()> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            Err(self.error(&format!("more than {MAX_TERMS} comparisons or values")))
        } else {
            Ok(())
        }
    }

    fn operands(&mut self) -> Result<Vec<Operand>> {
        if !self.take_mark('(') {
            return Err(self.expected("`(`"));
        }
        let mut values = Vec::new();
        loop {
            self.count_term()?;
            values.push(self.operand()?);
            if self.take_mark(')') {
                return Ok(values);
            }
            if !self.take_mark(',') {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    fn operand(&mut self) -> Result<Operand> {
        self.blanks();
        if self.rest().starts_with('"') {
            return self.string().map(Operand::Text);
        }
        for (word, value) in [("true", Operand::Bool(true)), ("false", Operand::Bool(false)), ("null", Operand::Null)] {
            if self.take_word(word) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn number(&mut self) -> Result<Operand> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(rest.len());
        let digits = &rest[..end];
        let value = match digits.parse::<i64>() {
            Ok(number) => Some(Operand::Int(number)),
            Err(_) => digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(Operand::Real),
        };
        let value = value.ok_or_else(|| self.expected("a value: \"text\", a number, true, false or null"))?;
        self.at += end;
        Ok(value)
    }

    fn string(&mut self) -> Result<String> {
        self.blanks();
        if !self.rest().starts_with('"') {
            return Err(self.expected("text in double quotes"));
        }
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, next @ ('"' | '\\'))) => text.push(next),
                    _ => {
                        self.at += at;
                        return Err(self.error("a backslash stands only before \" or \\"));
                    }
                },
                // PostgreSQL cannot hold it, and nothing that people look for has it.
                '\0' => {
                    self.at += at;
                    return Err(self.error("text holds a NUL"));
                }
                other => text.push(other),
            }
        }
        Err(self.error("the text has no closing quote"))
    }
}
