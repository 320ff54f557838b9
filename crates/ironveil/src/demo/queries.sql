select id, full_name, email, phone, ssn, birth_date from customers order by id limit 4;

select c.email, p.paid_by, p.card_number
from customers c join payments p on p.paid_by = c.email order by p.id limit 3;

select id, subject, body from tickets order by id limit 2;

select id, upper(email) as computed, city from customers order by id limit 2;

select status, count(*), sum(total) from order_totals group by status order by 1
