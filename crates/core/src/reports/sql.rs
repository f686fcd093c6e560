//! Statements of the raw log and the replay window.

store::sql! {
    /// Also locks the stream on PostgreSQL, so that two deliveries of one sender follow each other.
    pub(super) STREAM = "insert into streams (tenant, sender, epoch, high_seq, taken, touched_at)
        values ($1, $2, $3, 0, $4, $5)
        on conflict (tenant, sender) do update
        set touched_at = excluded.touched_at
        returning epoch, high_seq, taken";
    pub(super) STREAM_SET = "update streams
        set epoch = $3,
          high_seq = $4,
          taken = $5
        where tenant = $1
          and sender = $2";
    pub(super) INBOX = "insert into inbox (tenant, recv_day, id, recv_at, sender, epoch, first_seq, last_seq, messages, invalid,
          unknown_kinds, clock_offset_ms, size_bytes, body)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
}
