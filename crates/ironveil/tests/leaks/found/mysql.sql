-- Statements that once showed secrets, or whose like did elsewhere. One a line; they are run on three databases, in all ways.
select email as note from users order by id
select note from (select email as note from users) as items
select label from (select id, email as label from users) as items
select items.label from (select id, email as label from users) items join orders using (id)
select note from (select note from users union all select email from users) d
with items as (select id, email as label from users) select label from items
with recursive r(n, v) as (select 1, cast('x' as char(90)) union all select n + 1, (select email from users where id = n) from r where n < 4) select v from r
with a as (select email as label from users), b as (select label from a) select upper(label) from b
select concat(email), concat_ws('', email), lower(name), hex(name), to_base64(email), reverse(name) from users
select json_arrayagg(email), group_concat(name), json_objectagg(id, email) from users
select (select group_concat(name) from users u2 where u2.id = u.id) from users u
select concat(first_value(email) over w) from users window w as (order by id)
select lag(label) over (order by id) from v_users
select up, older from v_users
select case when id = 1 then concat(email, '') else note end from users
select age + 0, -age, concat(age), year(born), born + interval 1 day from users
select memo is null, length(memo) from orders
select o.memo from orders o join users u on u.id = o.user_id
select min(email), max(name), min(age) from users
select email from users group by email having count(*) > 0
select ' x', email ' x' from users
select `email` as `note`, name as `email` from users
select * from (select id, email as label from users) items
select items.* from (select id, email as label from users) items
select u.*, upper(u.email) from users u
select default(email), values(email), collation(email), charset(name) from users
select nullif(email, ''), ifnull(null, concat(email)), if(id, concat(name), '') from users
select substr(email from 1 for 3), trim(both 'x' from name), insert(email, 1, 0, '') from users
select sum(age), avg(age), bit_xor(age), std(age) from users
select cast(email as binary), convert(name using latin1), binary email from users
delete from orders where id = 1
update users set note = note where id = 1
select (select d.x from users u join lateral (select u.name as x) d on u.id = 1) as y from items u
