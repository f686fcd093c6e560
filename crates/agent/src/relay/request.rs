//! What a device asks the relay: one CONNECT, and nothing else.

/// The only place that the relay leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a request is not served; each has its status and a sentence for whoever set the device up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("400 Bad Request")]
    NotHttp,
    #[error("405 Method Not Allowed")]
    NotConnect,
    #[error("403 Forbidden")]
    Elsewhere,
    #[error("502 Bad Gateway")]
    Unreachable,
    #[error("503 Service Unavailable")]
    Full,
}

impl Refusal {
    fn advice(self) -> &'static str {
        match self {
            Self::NotHttp => "this is an HTTP proxy; it understands CONNECT host:port HTTP/1.1",
            Self::NotConnect => "this relay passes TLS on and reads nothing: only CONNECT is served",
            Self::Elsewhere => "this relay leads to the gateway that its agent reports to, and nowhere else",
            Self::Unreachable => "the gateway cannot be reached from the agent now; try again later",
            Self::Full => "too many devices at once; try again later",
        }
    }

    /// The whole answer (RFC 9112).
    pub(super) fn answer(self) -> String {
        let body = self.advice();
        let extra = match self {
            Self::NotConnect => "Allow: CONNECT\r\n",
            Self::Full | Self::Unreachable => "Retry-After: 60\r\n",
            _ => "",
        };
        let length = body.len() + 1;
        format!(
            "HTTP/1.1 {self}\r\n{extra}Content-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}\n"
        )
    }
}

impl Destination {
    /// Host and port of the gateway's address.
    pub(super) fn of(gateway: &reqwest::Url) -> Option<Self> {
        Some(Self { host: gateway.host_str()?.to_owned(), port: gateway.port_or_known_default()? })
    }

    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the head of a request, up to its empty line, asks for this destination.
    pub(super) fn is_asked_for(&self, head: &[u8]) -> Result<(), Refusal> {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| Refusal::NotHttp)?.trim_end_matches('\r');
        let mut words = line.split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        if words.next().is_some() || !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
            return Err(Refusal::NotHttp);
        }
        if method != Some("CONNECT") {
            return Err(Refusal::NotConnect);
        }
        let asked = target.and_then(|target| target.rsplit_once(':')).ok_or(Refusal::NotHttp)?;
        let port: u16 = asked.1.parse().map_err(|_| Refusal::NotHttp)?;
        if asked.0.eq_ignore_ascii_case(&self.host) && port == self.port { Ok(()) } else { Err(Refusal::Elsewhere) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_leads_to_its_gateway_and_nowhere_else() {
        let url: reqwest::Url = "https://print.example.com/".parse().unwrap();
        let gateway = Destination::of(&url).unwrap();
        let asked = |line: &str| gateway.is_asked_for(format!("{line}\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(asked("CONNECT print.example.com:443 HTTP/1.1"), Ok(()));
        assert_eq!(asked("CONNECT PRINT.example.com:443 HTTP/1.0"), Ok(()));
        for elsewhere in ["print.example.com:25", "example.com:443", "127.0.0.1:443", "print.example.com.evil:443"] {
            assert_eq!(asked(&format!("CONNECT {elsewhere} HTTP/1.1")), Err(Refusal::Elsewhere), "{elsewhere}");
        }
        assert_eq!(asked("GET http://print.example.com/ HTTP/1.1"), Err(Refusal::NotConnect));
        for odd in ["CONNECT print.example.com HTTP/1.1", "CONNECT a:b HTTP/1.1", "CONNECT a:443", "EHLO me", ""] {
            assert_eq!(asked(odd), Err(Refusal::NotHttp), "{odd}");
        }
        assert_eq!(gateway.is_asked_for(b"\xff\xfe \x00\r\n\r\n"), Err(Refusal::NotHttp));
    }

    #[test]
    fn an_answer_says_its_length() {
        for refusal in [Refusal::NotHttp, Refusal::NotConnect, Refusal::Elsewhere, Refusal::Unreachable, Refusal::Full]
        {
            let answer = refusal.answer();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
        }
    }
}
