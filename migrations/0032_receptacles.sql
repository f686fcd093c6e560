-- Which way the level of a receptacle runs, learnt per model from levels that move steadily: how often it was seen to
-- rise and to fall. Boxes that are emptied jump, and do not count.
create table receptacles (
  tenant text not null,
  vendor text not null,
  model text not null,
  kind text not null,
  rising bigint not null,
  falling bigint not null,
  primary key (tenant, vendor, model, kind)
);
