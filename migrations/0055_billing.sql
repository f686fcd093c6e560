-- Billing: what is billed, when, at what price; the ends of periods, their lines, gaps and documents.
-- Money is bigint in millionths of the currency; a period is the stretch (from_at, to_at].
create table contracts (
  tenant text not null,
  id text not null,
  version bigint not null,
  number text not null,
  name text not null,
  state text not null,
  device_filter text,
  period text not null,
  due_day bigint not null,
  close_minute bigint not null,
  zone text not null,
  currency text not null,
  max_age_d bigint not null,
  estimate text not null,
  review_d bigint not null,
  mail_to text not null,
  first_at bigint not null,
  ended_at bigint,
  made_at bigint not null,
  primary key (tenant, id),
  check (state in ('active', 'ended')),
  check (period in ('month', 'quarter')),
  check (estimate in ('none', 'average', 'last_period'))
);
create unique index contracts_id on contracts (id);
create unique index contracts_number on contracts (tenant, number);

-- One kind of page: which counter, what it costs, how many are included. Prices hold for closes that begin after them.
create table contract_lines (
  tenant text not null,
  contract text not null,
  no bigint not null,
  name text not null,
  function text not null,
  color text not null,
  size text not null,
  sides text not null,
  unit text not null,
  erp_code text,
  price_micro bigint not null,
  included bigint not null,
  factor_milli bigint not null,
  primary key (tenant, contract, no)
);

-- Devices by name and date, where a contract goes not by a filter; a device has one contract at a time.
create table device_assignments (
  tenant text not null,
  device text not null,
  from_at bigint not null,
  contract text not null,
  until_at bigint,
  primary key (tenant, device, from_at)
);
create index device_assignments_contract on device_assignments (tenant, contract, device);

-- Which counter of which devices has which code in the books; the narrowest map holds. Empty words: any.
create table meter_maps (
  tenant text not null,
  id text not null,
  vendor text not null,
  model text not null,
  device text not null,
  function text not null,
  color text not null,
  size text not null,
  sides text not null,
  unit text not null,
  erp_code text not null,
  primary key (tenant, id)
);
create unique index meter_maps_id on meter_maps (id);
create unique index meter_maps_words on meter_maps (tenant, vendor, model, device, function, color, size, sides, unit);

-- One period of one contract. frozen_at: from then on nothing that comes in counts; done_device: how far its lines are written.
create table closes (
  tenant text not null,
  id text not null,
  contract text not null,
  period text not null,
  from_at bigint not null,
  to_at bigint not null,
  state text not null,
  gathered_at bigint,
  reviewed_at bigint,
  looked_at bigint,
  frozen_at bigint,
  done_device text,
  closed_at bigint,
  closed_by text,
  devices bigint not null,
  gaps bigint not null,
  open_gaps bigint not null,
  input_hash text,
  version bigint not null,
  primary key (tenant, id),
  check (state in ('scheduled', 'gathering', 'review', 'closed'))
);
create unique index closes_id on closes (id);
create unique index closes_period on closes (tenant, contract, to_at);
create index closes_open on closes (to_at, id) where state <> 'closed';

-- Who belongs to a close, and how it was called then.
create table close_devices (
  tenant text not null,
  close text not null,
  device text not null,
  from_at bigint not null,
  until_at bigint not null,
  serial_no text,
  asset_no text,
  vendor text not null,
  model text,
  name text not null,
  place text not null,
  primary key (tenant, close, device)
);

-- The lines of the contract as they hold for a close, and their sums once it is closed.
create table close_totals (
  tenant text not null,
  close text not null,
  no bigint not null,
  name text not null,
  function text not null,
  color text not null,
  size text not null,
  sides text not null,
  unit text not null,
  erp_code text,
  price_micro bigint not null,
  included bigint not null,
  factor_milli bigint not null,
  devices bigint not null,
  units bigint not null,
  units_milli bigint not null,
  gross_micro bigint not null,
  credit_micro bigint not null,
  amount_micro bigint not null,
  primary key (tenant, close, no)
);

-- One counter in one close. Sums since the counter was first billed: counted (by its readings), billed.
-- billed_total - carry_out - estimate = actual_total, always.
create table close_lines (
  tenant text not null,
  close text not null,
  device text not null,
  no bigint not null,
  meter bigint not null,
  contract text not null,
  erp_code text,
  from_at bigint not null,
  to_at bigint not null,
  opening bigint,
  opening_at bigint,
  opening_quality text,
  closing bigint,
  closing_at bigint,
  closing_quality text,
  quality text not null,
  clock_offset_ms bigint not null,
  base bigint,
  base_at bigint,
  actual_total bigint not null,
  billed_total bigint not null,
  usage bigint not null,
  estimate_in bigint not null,
  estimate bigint not null,
  carry_in bigint not null,
  carry_out bigint not null,
  billed bigint not null,
  amount_micro bigint not null,
  primary key (tenant, close, device, no)
);
-- One counter is billed at most once for a period; the newest line before is found by it.
create unique index close_lines_meter on close_lines (tenant, device, meter, contract, to_at);

-- Borders of segments within a period: what the counter said before and behind, what is counted over the border.
create table close_adjustments (
  tenant text not null,
  close text not null,
  device text not null,
  no bigint not null,
  at bigint not null,
  reason text not null,
  before_value bigint not null,
  after_value bigint not null,
  bridged bigint not null,
  primary key (tenant, close, device, no, at)
);

-- What a person should see before a close: waived by name, filled by the contract's estimate, or in its way.
create table close_gaps (
  tenant text not null,
  close text not null,
  device text not null,
  no bigint not null,
  kind text not null,
  meter bigint,
  read_at bigint,
  value bigint,
  estimate bigint,
  why text not null,
  found_at bigint not null,
  waived_at bigint,
  waived_by text,
  note text,
  primary key (tenant, close, device, no, kind),
  check (kind in ('silent', 'error', 'unmapped', 'suspect'))
);

create table billing_documents (
  tenant text not null,
  id text not null,
  close text not null,
  no bigint not null,
  format text not null,
  sha256 text not null,
  size_bytes bigint not null,
  line_count bigint not null,
  corrects text,
  note text,
  made_at bigint not null,
  made_by text not null,
  mailed_at bigint,
  primary key (tenant, id)
);
create unique index billing_documents_id on billing_documents (id);
create unique index billing_documents_no on billing_documents (tenant, close, no);
