-- Statements that once showed secrets, or whose like did elsewhere. One a line; they are run on three databases, in all ways.
select email as note from users order by id
select note from (select email as note from users) items
select label from (select email as label from users) as items(label)
select x.email from users x(id, note, email)
select items.label from (select id, email as label from users) items join orders using (id)
select note from (select note from users union all select email from users) d
select c2 from (values (0, null), ((select 1), (select email from users where id = 1))) v(c1, c2)
with items as (select id, email as label from users) select label from items
with recursive r(n, v) as (select 1, 'x' union all select n + 1, (select email from users where id = n) from r where n < 4) select v from r
with a as (select email as label from users), b as (select label from a) select upper(label) from b
select users from users
select u::text from users u
select row(u.*) from users u
select (u).email || '' from users u
select (array[u.email, u.note])[1] from users u
select to_jsonb(u) ->> 'email' from users u
select json_agg(u) from users u
select string_agg(email, ',') from users
select d.v from users u cross join lateral (select u.email as v) d
select (select string_agg(name, '') from users u2 where u2.id = u.id) from users u
select first_value(email) over w || '' from users window w as (order by id)
select lag(label) over (order by id) from v_users
select up, older from v_users
select coalesce(nullif(note, note), email) || '' from users
select case when id = 1 then email || '' else note end from users
select format('%s', email), quote_literal(name), encode(convert_to(name, 'UTF8'), 'hex') from users
select age + 0, -age, age::text, born - date '1900-01-01', extract(year from born) from users
select memo is null, length(memo) from orders
select o.memo from orders o join users u on u.id = o.user_id
select email from users union select label from items where false
(select id, email from users) except (select id, note from users)
select min(email), max(name), min(age) from users
select email from users group by email having count(*) > 0
select distinct on (id) id, email, upper(email) from users order by id
select upper(upper), age(born::timestamp) from (select upper as upper, born from users cross join items) d
select upper.x from (select email as x from users) upper
update users set note = note returning email, upper(email), users
delete from orders returning memo, memo || ''
insert into items (id, label) values (99, 'x') returning (select email from users where id = 1), (select email || '' from users where id = 1)
