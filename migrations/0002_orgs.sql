-- The tree of organisations and who may look at whose fleet. An organisation is its own tenant.
create table organisations (
  tenant text not null,
  id text not null,
  parent text,
  slug text not null,
  path text not null,
  kind text not null,
  name text not null,
  name_fold text not null,
  created_by_org text,
  zone text not null,
  locale text not null,
  currency text not null,
  k_floor bigint not null,
  version bigint not null,
  created_at bigint not null,
  primary key (tenant, id),
  check (tenant = id),
  check (kind in ('root', 'provider', 'customer'))
);
create unique index organisations_path on organisations (path);
create unique index organisations_siblings on organisations (parent, slug);

create table service_grants (
  tenant text not null,
  id text not null,
  grantee text not null,
  class text not null,
  from_at bigint not null,
  until_at bigint,
  granted_by text not null,
  primary key (tenant, id)
);
create index service_grants_grantee on service_grants (grantee, class, tenant);
