//! Statements of the raw log and the replay window.

use crate::devices::in64;

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
          unknown_kinds, clock_offset_ms, size_bytes, body, road)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    pub(super) STREAMS = concat!("select s.sender, s.epoch, s.high_seq, s.taken, s.heads
        from streams s
        where s.tenant = $1
          and s.sender in (", in64!(), ")");
    /// As `STREAMS`; also locks them on PostgreSQL, where other servers take reports too.
    pub(super) STREAMS_LOCKED = concat!("update streams
        set touched_at = touched_at
        where tenant = $1
          and sender in (", in64!(), ")
        returning sender, epoch, high_seq, taken, heads");
    pub(super) STREAM_NEW = "insert into streams (tenant, sender, epoch, high_seq, taken, touched_at)
        values ($1, $2, $3, 0, $4, $5)
        on conflict (tenant, sender) do nothing";
    pub(super) STREAM_PUT = "insert into streams (tenant, sender, epoch, high_seq, taken, touched_at, heads)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, sender) do update
        set epoch = excluded.epoch,
          high_seq = excluded.high_seq,
          taken = excluded.taken,
          touched_at = excluded.touched_at,
          heads = excluded.heads";
    /// A device whose message could not be projected tells its sets in full again.
    pub(super) STREAM_FORGET = "update streams set heads = null where tenant = $1 and sender = $2";

    pub(super) OPEN = "insert into inbox_open (tenant, id, recv_day, sender, tries, ready_at) values ($1, $2, $3, $4, 0, $5)";
    pub(super) OPEN_NEXT = "select o.tenant, o.id, o.tries, i.sender, i.epoch, i.recv_at, i.clock_offset_ms, i.road, o.recv_day,
          i.size_bytes
        from inbox_open o
        join inbox i on i.tenant = o.tenant and i.recv_day = o.recv_day and i.id = o.id
        where o.ready_at <= $1
        order by o.ready_at, o.id
        limit $2";
    pub(super) OPEN_BODY = "select i.body from inbox i where i.tenant = $1 and i.recv_day = $2 and i.id = $3";
    pub(super) PARTED = "update inbox set body = $4 where tenant = $1 and recv_day = $2 and id = $3";
    pub(super) OPEN_COUNT = "select count(*), coalesce(min(o.ready_at), 0) from inbox_open o";
    pub(super) OPEN_OLDEST = "select min(o.ready_at) from inbox_open o";
    pub(super) OPEN_DONE = "delete from inbox_open where tenant = $1 and id = $2";
    pub(super) OPEN_DRAWN = concat!("delete from inbox_open where tenant = $1 and id in (", in64!(), ")");
    pub(super) OPEN_LATER = "update inbox_open set tries = $3, ready_at = $4 where tenant = $1 and id = $2";
    pub(super) TURN = "update inbox_turn set turns = turns + 1 where id = 1";
    pub(super) QUARANTINE = "insert into inbox_quarantine (tenant, id, recv_day, sender, why, at)
        select o.tenant, o.id, o.recv_day, o.sender, $3, $4
        from inbox_open o
        where o.tenant = $1 and o.id = $2
        on conflict (tenant, id) do nothing";
}
